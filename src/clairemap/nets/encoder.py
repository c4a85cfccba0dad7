"""The encoder of one sensor: four stages of ConvNeXt blocks at strides 4, 8, 16, 32."""

from torch import Tensor, nn

from clairemap.nets.layers import ConvNextBlock, PatchConv
from clairemap.nets.sizes import NetworkSize


class Encoder(nn.Module):
    """Turns the bands of one sensor, with their weight as one more band, into features at each stage's stride."""

    def __init__(self, bands: int, size: NetworkSize) -> None:
        super().__init__()
        self.stages = nn.ModuleList()
        before, stride = bands, 1
        for stage in size.stages:
            norm = nn.LayerNorm(before, eps=1e-6) if self.stages else nn.Identity()
            patches = PatchConv(before, stage.width, stage.stride // stride)
            blocks = [ConvNextBlock(stage.width) for _ in range(stage.depth)]
            self.stages.append(nn.Sequential(norm, patches, *blocks))
            before, stride = stage.width, stage.stride

    def forward(self, image_BHWC: Tensor) -> list[Tensor]:
        """Return the features of each stage, fine to coarse: (B, H / stride, W / stride, width)."""
        features = []
        x = image_BHWC
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features
