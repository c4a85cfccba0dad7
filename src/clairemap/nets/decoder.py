"""The decoder: a feature pyramid (Lin et al. 2017) from coarse to fine, and the classifier at stride 4."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from clairemap.grid.window import Window
from clairemap.nets.layers import DepthwiseConv, cell_by_cell, upsampled
from clairemap.nets.parts import Part, cut
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
        spread = self.spread(x_BHWC)
        return cell_by_cell(lambda x: functional.gelu(self.norm(self.linear(x))), spread)


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

    def forward(self, features: Sequence[Tensor], parts: Sequence[Part], cells: Window) -> Tensor:
        """Return logits (B, H, W, classes) of some cells of the finest stage.

        Args:
            features: (B, H, W, C), fine to coarse.
            parts: of each stage, whose decoded cells the features are of.
            cells: for whose sake these are the parts.
        """
        *finer, (lateral, smoothing, x, part) = zip(self.laterals, self.smoothings, features, parts, strict=True)
        x = smoothing(lateral(x))
        for lateral, smoothing, own, fine in reversed(finer):
            x = smoothing(lateral(own) + cut(upsampled(x, 2), fine.decoded.relative_to(part.decoded.refined(2))))
            part = fine
        logits: Tensor = self.head(cut(x, cells.relative_to(part.decoded)))
        return logits
