"""Which cells of each stage are needed for the pixels that are wanted.

Mapping keeps only a window's core. What the encoders see must be the whole window, since the coarsest stage carries it
far; but fusion and decoder add little reach, and at the fine strides, where they cost most, need hardly more than the
core. Leaving out the rest changes nothing in what is kept.
"""

from dataclasses import dataclass

from torch import Tensor

from clairemap.grid.window import Window
from clairemap.nets.fusion import reach_cells
from clairemap.nets.sizes import NetworkSize


@dataclass(frozen=True)
class StageWindows:
    """The windows of a stage that fusion and decoder compute, in its cells."""

    fused: Window
    """Of the fusion: whole attention windows."""
    decoded: Window
    """Of the decoder, inside that of the fusion; its outermost cells are right only at the edge of the image."""

    @property
    def kept(self) -> Window:
        """The decoded cells, counted from the first fused one."""
        return self.decoded.relative_to(self.fused)


def cells_between(wanted: Window, shape: tuple[int, int], stride: int) -> Window:
    """Return the cells between whose centres the pixels wanted are interpolated.

    Args:
        wanted: pixels.
        shape: (height, width) of the image in pixels.
        stride: side of a cell in pixels.
    """
    return wanted.coarsened(stride).grown(1).clipped((shape[0] // stride, shape[1] // stride))


def stage_windows(size: NetworkSize, fusion: str, wanted: Window, shape: tuple[int, int]) -> list[StageWindows]:
    """Return for each stage, fine to coarse, which cells matter for the pixels wanted.

    Args:
        size: of the network.
        fusion: its name in the settings.
        wanted: pixels.
        shape: (height, width) of the image in pixels, multiples of `align_px`.
    """
    found: list[StageWindows] = []
    stride = size.stages[0].stride
    cells = cells_between(wanted, shape, stride).grown(1)  # for what is extended into nodata
    for stage in size.stages:
        whole = shape[0] // stage.stride, shape[1] // stage.stride
        if found:
            cells = cells.coarsened(stage.stride // stride).grown(1)  # to interpolate with
        stride = stage.stride
        cells = cells.grown(1).clipped(whole)  # to smooth with
        window = stage.window or 1
        fused = cells.grown(reach_cells(fusion, stage)).coarsened(window).refined(window).clipped(whole)
        found.append(StageWindows(fused, cells))
    return found


def crop(x_BHWC: Tensor, window: Window) -> Tensor:
    """Return a window of the cells; the same tensor if it is all of them."""
    rows, columns = window.slices
    return x_BHWC[:, rows, columns]
