"""The encoder of an image: four stages of ConvNeXt blocks at strides 4, 8, 16, 32."""

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from clairemap.nets.layers import (
    CellNorm,
    ConvNextBlock,
    PatchConv,
    channels_first,
    channels_last,
    filled,
    only_seen,
)
from clairemap.nets.sizes import NetworkSize
from clairemap.nets.strips import in_strips


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
            norm = CellNorm(before if self.stages else stage.width, eps=1e-6)
            entrance = (norm, patches) if self.stages else (patches, norm)
            self.stages.append(nn.Sequential(*entrance, *blocks))
            before, stride = stage.width, stage.stride

    @property
    def stride(self) -> int:
        """Pixels along a cell of the entrance."""
        return self.size.stages[0].stride

    def forward(self, image_BHWC: Tensor) -> list[Tensor]:
        """Return the features of each stage, fine to coarse: (B, H / stride, W / stride, width)."""
        return self.features(self.entrance(image_BHWC), [None] * len(self.stages))

    def entrance(self, image_BHWC: Tensor) -> Tensor:
        """Return the cells of an image or of some rows of it, (B, H / stride, W / stride, width)."""
        patches, norm, *_ = cast(nn.Sequential, self.stages[0])
        cells: Tensor = norm(patches(image_BHWC))
        return cells

    def features(self, cells: Tensor, seen: Sequence[Tensor | None]) -> list[Tensor]:
        """Return the features of each stage from the entrance's cells, which they may overwrite.

        Args:
            cells: of the entrance.
            seen: for each stage, which cells show anything, bool (B, h, w, 1); None if all do.
        """
        features: list[Tensor] = []
        for index, here in enumerate(seen):
            first, second, *blocks = cast(nn.Sequential, self.stages[index])
            x = _coarser(features[-1], seen[index - 1], first, cast(PatchConv, second)) if index else cells
            for block in blocks:
                x = block(only_seen(x, here))
            features.append(x)
        return features


def _coarser(x_BHWC: Tensor, seen: Tensor | None, norm: nn.Module, patches: PatchConv) -> Tensor:
    """Return the cells of the next stage; those seen in part are computed from what is seen of them."""
    if seen is None:
        coarse: Tensor = patches(norm(x_BHWC))
        return coarse
    stride = patches.conv.stride[0]
    seen_B1HW = channels_first(seen)

    def of_rows(rows: slice) -> Tensor:
        whole = filled(channels_first(norm(x_BHWC[:, rows])), seen_B1HW[:, :, rows], stride)
        entered: Tensor = patches(channels_last(whole))
        return entered

    _, height, width, channels = x_BHWC.shape
    return in_strips(of_rows, height, channels * width, x_BHWC.device, stride)
