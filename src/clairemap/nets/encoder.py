"""The image encoder: four stages of ConvNeXt blocks at strides 4, 8, 16, 32."""

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from clairemap.nets.layers import (
    CellNorm,
    ConvNextBlock,
    PatchConv,
    fill_unusable,
    zero_unusable,
)
from clairemap.nets.sizes import NetworkSize
from clairemap.nets.strips import in_strips


class Encoder(nn.Module):
    """Computes features at each stage's stride from bands and their weights, stacked as channels.

    The layers are those of a ConvNeXt (Liu et al. 2022) without pooling and classifier; its weights can be loaded
    (`pretrained.load_encoder`).
    """

    def __init__(self, bands: int, size: NetworkSize) -> None:
        super().__init__()
        self.size = size
        self.stages = nn.ModuleList()
        before, stride = bands, 1
        for stage in size.stages:
            patches = PatchConv(before, stage.width, stage.stride // stride)
            blocks = [ConvNextBlock(stage.width) for _ in range(stage.depth)]
            # In the stem the norm follows the convolution; between stages it precedes it.
            norm = CellNorm(before if self.stages else stage.width, eps=1e-6)
            downsampling = (norm, patches) if self.stages else (patches, norm)
            self.stages.append(nn.Sequential(*downsampling, *blocks))
            before, stride = stage.width, stage.stride

    @property
    def stride(self) -> int:
        """Side of a cell of the stem in pixels."""
        return self.size.stages[0].stride

    def forward(self, image_BHWC: Tensor) -> list[Tensor]:
        """Return the features of each stage, fine to coarse: (B, H / stride, W / stride, width)."""
        return self.features(self.stem(image_BHWC), [None] * len(self.stages))

    def stem(self, image_BHWC: Tensor) -> Tensor:
        """Return the stem's cells for an image or some of its rows, (B, H / stride, W / stride, width)."""
        patches, norm, *_ = cast(nn.Sequential, self.stages[0])
        cells: Tensor = norm(patches(image_BHWC))
        return cells

    def features(self, cells: Tensor, usable: Sequence[Tensor | None]) -> list[Tensor]:
        """Return the features of each stage, fine to coarse.

        Args:
            cells: output of the stem; may be overwritten.
            usable: a mask per stage of the cells with usable pixels, bool (B, h, w, 1); None if all.
        """
        features: list[Tensor] = []
        for index, here in enumerate(usable):
            first, second, *blocks = cast(nn.Sequential, self.stages[index])
            x = _downsampled(features[-1], usable[index - 1], first, cast(PatchConv, second)) if index else cells
            for block in blocks:
                x = block(zero_unusable(x, here))
            features.append(x)
        return features


def _downsampled(x_BHWC: Tensor, usable: Tensor | None, norm: nn.Module, patches: PatchConv) -> Tensor:
    """Return the cells of the next stage; partly usable cells are computed from their usable inputs."""
    if usable is None:
        coarse: Tensor = patches(norm(x_BHWC))
        return coarse
    stride = patches.conv.stride[0]

    def of_rows(rows: slice) -> Tensor:
        cells: Tensor = patches(fill_unusable(norm(x_BHWC[:, rows]), usable[:, rows], stride))
        return cells

    _, height, width, channels = x_BHWC.shape
    return in_strips(of_rows, height, channels * width, x_BHWC.device, stride)
