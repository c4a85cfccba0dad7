"""The cells of each stage that are needed to compute some pixels.

Mapping keeps only the core of a window. The encoders need the whole window, because the coarsest stage has a long
reach; fusion and decoder need little more than the core at fine strides, where they cost most.
"""

from dataclasses import dataclass

from torch import Tensor

from clairemap.grid.window import Window
from clairemap.nets.fusion import reach_cells
from clairemap.nets.sizes import NetworkSize


@dataclass(frozen=True)
class StageWindows:
    """The cells of a stage that fusion and decoder compute."""

    fused: Window
    """Input and output of the fusion: whole attention windows."""
    decoded: Window
    """Input of the decoder, inside `fused`; after smoothing outermost cells are only correct at the image's edge."""

    @property
    def kept(self) -> Window:
        """The decoded cells, relative to the fused ones."""
        return self.decoded.relative_to(self.fused)


def cells_between(core: Window, shape: tuple[int, int], stride: int) -> Window:
    """Return the cells from which the pixels of the core are interpolated.

    Args:
        core: window of pixels.
        shape: (height, width) of the image in pixels.
        stride: side of a cell in pixels.
    """
    return core.coarsened(stride).grown(1).clipped((shape[0] // stride, shape[1] // stride))


def stage_windows(size: NetworkSize, fusion: str, core: Window, shape: tuple[int, int]) -> list[StageWindows]:
    """Return the cells of each stage that are needed for the pixels of the core, fine to coarse.

    Args:
        size: of the network.
        fusion: name in the settings.
        core: window of pixels.
        shape: (height, width) of the image in pixels, multiples of `align_px`.
    """
    found: list[StageWindows] = []
    stride = size.stages[0].stride
    cells = cells_between(core, shape, stride).grown(1)  # for extending logits into nodata
    for stage in size.stages:
        whole = shape[0] // stage.stride, shape[1] // stage.stride
        if found:
            cells = cells.coarsened(stage.stride // stride).grown(1)  # for interpolation
        stride = stage.stride
        cells = cells.grown(1).clipped(whole)  # for smoothing
        window = stage.window or 1
        fused = cells.grown(reach_cells(fusion, stage)).coarsened(window).refined(window).clipped(whole)
        found.append(StageWindows(fused, cells))
    return found


def crop(x_BHWC: Tensor, window: Window) -> Tensor:
    """Return a window of the cells, as a view."""
    rows, columns = window.slices
    return x_BHWC[:, rows, columns]
