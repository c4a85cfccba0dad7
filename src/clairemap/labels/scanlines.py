"""Pixels inside outlines: spans of pixel centres between the edges of a polygon, row by row.

The even-odd rule fills outlines that cross themselves as PostGIS's ST_MakeValid repairs them; edges that cover each
other cancel out. In a valid polygon whose
outline runs downwards at its left, downward and upward edges alternate along each row; other polygons are reported.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clairemap.grid.coordinates import Coordinates

Integers = NDArray[np.int64]

MAX_SUBPIXEL_BITS = 12
"""Crossings are ordered in steps of 2^-12 pixels, or of more if an integer has no room for them."""

KEY_BITS = 62


@dataclass(frozen=True)
class Rings:
    """Vertices of closed rings, in pixels of a grid (pixel centres at .5), with the numbers of ring and polygon.

    Outer rings run downwards at their left side, holes upwards.
    """

    y: Coordinates
    x: Coordinates
    ring: Integers
    polygon: Integers


@dataclass(frozen=True)
class Spans:
    """Runs of pixels in a row: first column, first column after it, and the number of the polygon.

    `irregular` are the numbers of polygons whose edges do not alternate in all rows: most of them are not valid.
    """

    row: Integers
    start: Integers
    stop: Integers
    polygon: Integers
    irregular: Integers

    def chosen(self, choice: NDArray[np.bool_]) -> "Spans":
        """Return some of the spans."""
        return Spans(
            self.row[choice], self.start[choice], self.stop[choice], self.polygon[choice], self.irregular
        )  # fmt: skip


def spans_inside(rings: Rings, shape: tuple[int, int]) -> Spans:
    """Return the pixels of a grid of (height, width) whose centres are inside polygons, by the even-odd rule.

    A centre on an outline belongs to the polygon at its left, or below it: polygons that share an outline share no
    pixel and leave none out. Memory: about 100 bytes per vertex and per row that an edge crosses.
    """
    height, width = shape
    row, x, polygon, down = _crossings(rings, height)
    polygons = int(rings.polygon.max(initial=0)) + 1
    steps = 2 ** min(MAX_SUBPIXEL_BITS, KEY_BITS - (polygons * height * (width + 1)).bit_length())
    position = np.floor((x + 0.5) * steps).clip(0, width * steps).astype(np.int64)
    # Sorted by polygon, row, position: the crossings of closed rings with a row are pairs of entry and exit.
    columns = width * steps + 1
    keys = ((polygon * height + row) * columns + position) * 2 + down
    keys.sort()
    entry, leave = keys[0::2], keys[1::2]
    is_irregular = (entry & 1 == 0) | (leave & 1 == 1)
    line, place = np.divmod(entry >> 1, columns)
    start, stop = place // steps, ((leave >> 1) - line * columns) // steps
    owner, row = np.divmod(line, height)
    inside = stop > start
    return Spans(row[inside], start[inside], stop[inside], owner[inside], np.unique(owner[is_irregular]))


def _crossings(rings: Rings, height: int) -> tuple[Integers, Coordinates, Integers, NDArray[np.bool_]]:
    """Return row, x, polygon and downward direction of each crossing of an edge with a row of pixel centres."""
    rows_above = np.ceil(rings.y - 0.5).clip(0, height).astype(np.int64)  # rows whose centres are above each vertex
    edge = np.flatnonzero((rows_above[1:] != rows_above[:-1]) & (rings.ring[1:] == rings.ring[:-1]))
    # From top to bottom: both neighbours of a shared edge get the same crossings.
    down = rows_above[edge + 1] > rows_above[edge]
    top, bottom = np.where(down, edge, edge + 1), np.where(down, edge + 1, edge)
    first = rows_above[top]
    count = rows_above[bottom] - first
    number = np.repeat(np.arange(len(edge)), count)
    row = np.repeat(first - (np.cumsum(count) - count), count) + np.arange(len(number))
    y0, x0 = rings.y[top], rings.x[top]
    slope = (rings.x[bottom] - x0) / (rings.y[bottom] - y0)
    return row, x0[number] + (row + 0.5 - y0[number]) * slope[number], rings.polygon[edge[number]], down[number]
