"""The encoder of an image: four stages of ConvNeXt blocks at strides 4, 8, 16, 32."""

import functools
from typing import cast

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

    @property
    def stride(self) -> int:
        """Pixels along a cell of the entrance."""
        return self.size.stages[0].stride

    def forward(self, image_BHWC: Tensor) -> list[Tensor]:
        """Return the features of each stage, fine to coarse: (B, H / stride, W / stride, width)."""
        return self.features(self.entrance(image_BHWC))

    def entrance(self, image_BHWC: Tensor) -> Tensor:
        """Return the cells of an image or of some rows of it, (B, H / stride, W / stride, width)."""
        patches, norm, *_ = cast(nn.Sequential, self.stages[0])
        cells: Tensor = norm(patches(image_BHWC))
        return cells

    def features(self, cells: Tensor) -> list[Tensor]:
        """Return the features of each stage from the entrance's cells."""
        _, _, *blocks = cast(nn.Sequential, self.stages[0])
        features = [functools.reduce(lambda x, block: block(x), blocks, cells)]
        for stage in self.stages[1:]:
            features.append(stage(features[-1]))
        return features
