"""Windows of a map that the page shows: only those with data, if most of the map is nodata."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from clairemap.classes import MAP_NODATA
from clairemap.grid.window import Window
from clairemap.grid.window_groups import MIN_FILLED_SHARE, WindowGroup, far_apart, group_windows
from clairemap.raster.opening import open_raster
from clairemap.raster.source import rasterio_window

MAX_CELLS_READ = 4096**2
"""Maximum number of pixels read at once to find data; a map's smallest overview has fewer."""

FINE_PX = 512
"""Side of a window in pixels of an overview; at this size no finer overview is used to frame the window."""

MAX_PIECES = 200
"""Maximum number of separate pieces of data; if there are more, the closest ones are joined."""

MAX_GROUPS = 6
"""Maximum number of groups of data shown, the largest first."""

MARGIN = 0.02
"""Margin around a window, as a share of its longer side."""


@dataclass(frozen=True)
class Frames:
    """The windows of a map to show, from top to bottom.

    `groups` is the number of groups of data in the map; the windows show the largest ones. `far_apart`: most of the map
    is nodata between its groups. If the map is mostly filled, the only window is the whole map.
    """

    windows: tuple[Window, ...]
    groups: int
    far_apart: bool


def frames_of(path: Path) -> Frames:
    """Return the windows of a map to show, found in its overviews.

    Memory: at most 16 Mpx, independent of the size of the map.

    Raises:
        RasterioError: the map cannot be read.
    """
    with open_raster(path) as dataset:
        shape, levels = (int(dataset.height), int(dataset.width)), len(dataset.overviews(1))
    whole = Window.whole(shape)
    has_data = _data_mask(path, levels, whole)
    groups = [] if has_data is None else _groups(has_data)
    if (
        has_data is None
        or not groups
        or (len(groups) == 1 and _area_px(groups[0].window) >= MIN_FILLED_SHARE * has_data.size)
    ):
        return Frames((whole,), 1, far_apart=False)
    largest = sorted(groups, key=lambda group: -group.px)[:MAX_GROUPS]
    places = sorted((group.window for group in largest), key=lambda window: (window.y0, window.x0))
    windows = tuple(_framed(path, levels, place, shape) for place in places)
    return Frames(windows, len(groups), far_apart(groups, has_data.shape))


def _data_mask(path: Path, levels: int, window: Window) -> NDArray[np.bool_] | None:
    """Return which overview pixels of a window have data; None if there are more than MAX_CELLS_READ."""
    with open_raster(path, **({"overview_level": levels - 1} if levels else {})) as dataset:
        cells = window.coarsened(2**levels).clipped(dataset.shape)
        if _area_px(cells) > MAX_CELLS_READ:
            return None
        has_data: NDArray[np.bool_] = dataset.read(1, window=rasterio_window(cells)) != MAP_NODATA
        return has_data


def _groups(has_data: NDArray[np.bool_]) -> list[WindowGroup]:
    """Return the separate groups of data, in overview pixels."""
    for reach in _reaches_px(max(has_data.shape)):
        joined = ndimage.binary_dilation(has_data, np.ones((3, 3), np.bool_), iterations=reach) if reach else has_data
        numbers, count = ndimage.label(joined, np.ones((3, 3)))
        if count <= MAX_PIECES:
            break
    numbers = np.where(has_data, numbers, 0)
    pieces = [Window(y.start, x.start, y.stop - y.start, x.stop - x.start) for y, x in ndimage.find_objects(numbers)]
    return group_windows(pieces, np.bincount(numbers.ravel())[1:].tolist())


def _reaches_px(longest: int) -> Iterator[int]:
    yield 0
    reach = 1
    while reach < 2 * longest:
        yield reach
        reach *= 2


def _framed(path: Path, levels: int, cells: Window, shape: tuple[int, int]) -> Window:
    """Return the bounding window of the data inside cells of the smallest overview, with a margin, in map pixels."""
    frame = cells.refined(2**levels).clipped(shape)
    for level in range(levels, -1, -1):
        has_data = _data_mask(path, level, frame)
        if has_data is None:
            break
        frame = _shrunk(frame.coarsened(2**level), has_data).refined(2**level).clipped(shape)
        if max(has_data.shape) >= FINE_PX:
            break
    return frame.grown(round(MARGIN * max(frame.shape))).clipped(shape)


def _shrunk(window: Window, has_data: NDArray[np.bool_]) -> Window:
    """Return the part of a window that contains all data."""
    rows, columns = np.flatnonzero(has_data.any(axis=1)), np.flatnonzero(has_data.any(axis=0))
    y0, x0 = int(rows[0]), int(columns[0])
    return Window(window.y0 + y0, window.x0 + x0, int(rows[-1]) + 1 - y0, int(columns[-1]) + 1 - x0)


def _area_px(window: Window) -> int:
    return window.height * window.width
