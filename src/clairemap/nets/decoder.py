"""The decoder: a feature pyramid (Lin et al. 2017) from coarse to fine, and the classifier at stride 4."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from clairemap.nets.layers import DepthwiseConv, upsampled
from clairemap.nets.sizes import NetworkSize


class Smoothing(nn.Module):
    """Depthwise 3x3, linear, LayerNorm, GELU on one level of the pyramid."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.spread = DepthwiseConv(channels, kernel=3)
        self.linear = nn.Linear(channels, channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)

    def forward(self, x_BHWC: Tensor) -> Tensor:
        """Return features of the same shape."""
        return functional.gelu(self.norm(self.linear(self.spread(x_BHWC))))


class PyramidDecoder(nn.Module):
    """Turns the fused features of all stages into class logits at the finest stage's stride.

    There is no pyramid pooling or other global context: a pixel's logits depend on its surroundings alone.
    """

    def __init__(self, size: NetworkSize, classes: int) -> None:
        super().__init__()
        width = size.decoder_width
        self.laterals = nn.ModuleList(nn.Linear(stage.width, width) for stage in size.stages)
        self.smoothings = nn.ModuleList(Smoothing(width) for _ in size.stages)
        self.head = nn.Linear(width, classes)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Return logits (B, H, W, classes) for features (B, H, W, C) given fine to coarse."""
        levels = [lateral(x) for lateral, x in zip(self.laterals, features, strict=True)]
        x = self.smoothings[-1](levels[-1])
        for level, smoothing in zip(reversed(levels[:-1]), reversed(self.smoothings[:-1]), strict=True):
            x = smoothing(level + upsampled(x, 2))
        logits: Tensor = self.head(x)
        return logits
