"""The encoder of an image: four stages of ConvNeXt blocks at strides 4, 8, 16, 32."""

from torch import Tensor, nn

from clairemap.nets.layers import ConvNextBlock, PatchConv
from clairemap.nets.sizes import NetworkSize


class Encoder(nn.Module):
    """Turns bands, with their weights as further bands, into features at each stage's stride.

    The layers and their order are those of a ConvNeXt (Liu et al. 2022) up to its global pooling, so that the weights
    of one can be loaded: see `pretrained.load_encoder`.
    """

    def __init__(self, bands: int, size: NetworkSize) -> None:
        super().__init__()
        self.size = size
        self.stages = nn.ModuleList()
        before, stride = bands, 1
        for stage in size.stages:
            patches = PatchConv(before, stage.width, stage.stride // stride)
            blocks = [ConvNextBlock(stage.width) for _ in range(stage.depth)]
            # Bands come as they are, and the norm follows their convolution; between stages it goes before.
            norm = nn.LayerNorm(before if self.stages else stage.width, eps=1e-6)
            entrance = (norm, patches) if self.stages else (patches, norm)
            self.stages.append(nn.Sequential(*entrance, *blocks))
            before, stride = stage.width, stage.stride

    def forward(self, image_BHWC: Tensor) -> list[Tensor]:
        """Return the features of each stage, fine to coarse: (B, H / stride, W / stride, width)."""
        features = []
        x = image_BHWC
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features
