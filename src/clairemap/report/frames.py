"""Which parts of a map a page shows: those that hold data, where most of the map holds none."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from clairemap.classes import MAP_NODATA
from clairemap.grid.parts import LEAST_FILLED, Part, far_apart, parts_of
from clairemap.grid.window import Window
from clairemap.raster.opening import open_raster
from clairemap.raster.source import area_of

LARGEST_PX = 4096**2
"""Pixels that are read at once to see where data are, at most; a map's smallest overview has fewer."""

FINE_PX = 512
"""Side of a part, in pixels of an overview, from which on it needs no finer one to be framed."""

MOST_PIECES = 200
"""Pieces of data that are compared with each other: of more, those that nearly touch count as one."""

MOST_PARTS = 6
"""Parts of a map that are shown, the largest."""

MARGIN = 0.02
"""Rim around a part, as a share of its longer side."""


@dataclass(frozen=True)
class Frames:
    """The windows of a map to show, from top to bottom, and of how many they are the largest.

    One window that is the whole map: it is shown as it is. `far_apart`: most of the map lies between its parts.
    """

    windows: tuple[Window, ...]
    parts: int
    far_apart: bool


def frames_of(path: Path) -> Frames:
    """Return what to show of a map, as its overviews tell: they hold data wherever the map does.

    Memory: 16 Mpx at most, however large the map.

    Raises:
        RasterioError: the map can't be read.
    """
    with open_raster(path) as dataset:
        shape, levels = (int(dataset.height), int(dataset.width)), len(dataset.overviews(1))
    whole = Window.whole(shape)
    held = _held(path, levels, whole)
    parts = [] if held is None else _parts(held)
    if held is None or not parts or (len(parts) == 1 and _cells(parts[0].window) >= LEAST_FILLED * held.size):
        return Frames((whole,), 1, far_apart=False)
    largest = sorted(parts, key=lambda part: -part.px)[:MOST_PARTS]
    places = sorted((part.window for part in largest), key=lambda window: (window.y0, window.x0))
    windows = tuple(_framed(path, levels, place, shape) for place in places)
    return Frames(windows, len(parts), far_apart(parts, held.shape))


def _held(path: Path, levels: int, window: Window) -> NDArray[np.bool_] | None:
    """Return where the cells of 2 to the power of `levels` px of a window hold data; None if they are too many."""
    with open_raster(path, **({"overview_level": levels - 1} if levels else {})) as dataset:
        cells = window.coarsened(2**levels).clipped(dataset.shape)
        if _cells(cells) > LARGEST_PX:
            return None
        held: NDArray[np.bool_] = dataset.read(1, window=area_of(cells)) != MAP_NODATA
        return held


def _parts(held: NDArray[np.bool_]) -> list[Part]:
    """Return the groups of pieces that stand apart, in cells."""
    for reach in _reaches(max(held.shape)):
        joined = ndimage.binary_dilation(held, np.ones((3, 3), np.bool_), iterations=reach) if reach else held
        numbers, count = ndimage.label(joined, np.ones((3, 3)))
        if count <= MOST_PIECES:
            break
    numbers = np.where(held, numbers, 0)
    pieces = [Window(y.start, x.start, y.stop - y.start, x.stop - x.start) for y, x in ndimage.find_objects(numbers)]
    return parts_of(pieces, np.bincount(numbers.ravel())[1:].tolist())


def _reaches(longest: int) -> Iterator[int]:
    yield 0
    reach = 1
    while reach < 2 * longest:
        yield reach
        reach *= 2


def _framed(path: Path, levels: int, cells: Window, shape: tuple[int, int]) -> Window:
    """Return the window of the map that data fill, with a rim, of the cells of its smallest overview around them."""
    frame = cells.refined(2**levels).clipped(shape)
    for level in range(levels, -1, -1):
        held = _held(path, level, frame)
        if held is None:
            break
        frame = _shrunk(frame.coarsened(2**level), held).refined(2**level).clipped(shape)
        if max(held.shape) >= FINE_PX:
            break
    return frame.grown(round(MARGIN * max(frame.shape))).clipped(shape)


def _shrunk(window: Window, held: NDArray[np.bool_]) -> Window:
    """Return the part of a window that holds all data."""
    rows, columns = np.flatnonzero(held.any(axis=1)), np.flatnonzero(held.any(axis=0))
    y0, x0 = int(rows[0]), int(columns[0])
    return Window(window.y0 + y0, window.x0 + x0, int(rows[-1]) + 1 - y0, int(columns[-1]) + 1 - x0)


def _cells(window: Window) -> int:
    return window.height * window.width
