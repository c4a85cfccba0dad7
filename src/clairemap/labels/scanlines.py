"""Pixels inside outlines: spans of pixel centres between the edges of a polygon, row by row."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clairemap.grid.coordinates import Coordinates

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Rings:
    """Vertices of closed rings, in pixels of a grid (pixel centres at .5), with the numbers of ring and polygon."""

    y: Coordinates
    x: Coordinates
    ring: Integers
    polygon: Integers


@dataclass(frozen=True)
class Spans:
    """Runs of pixels in a row: first column, first column after it, and the number of the polygon."""

    row: Integers
    start: Integers
    stop: Integers
    polygon: Integers

    def chosen(self, choice: NDArray[np.bool_]) -> "Spans":
        """Return some of the spans."""
        return Spans(self.row[choice], self.start[choice], self.stop[choice], self.polygon[choice])


def spans_inside(rings: Rings, shape: tuple[int, int]) -> Spans:
    """Return the pixels of a grid of (height, width) whose centres are inside polygons, by the even-odd rule.

    A centre on an outline belongs to the polygon at its left, or below it: polygons that share an outline share no
    pixel and leave none out. Memory: about 100 bytes per vertex and per row that an edge crosses.
    """
    height, width = shape
    row, column, polygon = _crossings(rings, height)
    pixel = np.floor(column + 0.5).clip(0, width).astype(np.int64)
    # Sorted by polygon, row, column: the crossings of closed rings with a row are pairs of entry and exit.
    keys = (polygon * height + row) * (width + 1) + pixel
    keys.sort()
    entry, leave = keys[0::2], keys[1::2]
    length = leave - entry
    inside = length > 0
    line, start = np.divmod(entry[inside], width + 1)
    owner, row = np.divmod(line, height)
    return Spans(row, start, start + length[inside], owner)


def _crossings(rings: Rings, height: int) -> tuple[Integers, Coordinates, Integers]:
    """Return row, x and polygon of each crossing of an edge with a row of pixel centres."""
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
    return row, x0[number] + (row + 0.5 - y0[number]) * slope[number], rings.polygon[edge[number]]
