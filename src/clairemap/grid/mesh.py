"""Coordinates known at the nodes of a mesh over a pixel grid, and linear between them."""

import numpy as np
from numpy.typing import NDArray

from clairemap.grid.coordinates import Coordinates
from clairemap.grid.rounding import ceil_div

MESH_PX = 32
"""Side of the cells between whose corners coordinates are interpolated; halved until exact to the tolerance."""

TOLERANCE_PX = 0.01
"""Coordinates this close are equal: a tenth of the error of the best registration."""


def aligned_nodes(start: int, stop: int, step: int) -> Coordinates:
    """Return multiples of `step` from at most `start` to at least ``stop - 1``, two or more."""
    first = start // step
    last = max(ceil_div(stop - 1, step), first + 1)
    nodes: Coordinates = np.arange(first, last + 1, dtype=np.float64) * step
    return nodes


def spread_nodes(size: int, step: int) -> Coordinates:
    """Return nodes from 0 to ``size - 1``, both included, about `step` apart; each pixel if `step` is 1."""
    cells = size - 1 if step == 1 else ceil_div(size, step)
    return np.linspace(0, size - 1, max(cells, 1) + 1)


def middles(nodes: Coordinates) -> Coordinates:
    """Return the middles between neighbouring nodes."""
    return (nodes[:-1] + nodes[1:]) / 2


def corners(values: Coordinates) -> list[Coordinates]:
    """Return the values at the four corners of each cell of a mesh (row, column)."""
    return [values[:-1, :-1], values[:-1, 1:], values[1:, :-1], values[1:, 1:]]


def cell_means(values: Coordinates) -> Coordinates:
    """Return the mean of the corners of each cell of a mesh (row, column): what interpolation gives in its middle."""
    return np.asarray(np.mean(corners(values), axis=0))


def differ(found: tuple[Coordinates, Coordinates], exact: tuple[Coordinates, Coordinates]) -> NDArray[np.bool_]:
    """Return where coordinates (y, x) differ from the exact ones by more than `TOLERANCE_PX`."""
    y, x = (np.abs(ours - theirs) > TOLERANCE_PX for ours, theirs in zip(found, exact, strict=True))
    return np.asarray(y | x)


def positions(pixels: NDArray[np.number], nodes: Coordinates) -> Coordinates:
    """Return where pixels lie among evenly spaced nodes, counted in nodes."""
    spacing = nodes[1] - nodes[0]
    found: Coordinates = (pixels - nodes[0]) / (spacing if spacing > 0 else 1.0)
    return found


def cells_at(places: Coordinates, nodes: int) -> NDArray[np.intp]:
    """Return the cell between `nodes` nodes in which each position, counted in nodes, lies."""
    return np.minimum(places.astype(np.intp), nodes - 2)


def interpolated(values: Coordinates, rows: Coordinates, columns: Coordinates) -> Coordinates:
    """Return the values of a mesh (row, column) at all crossings of positions counted in nodes, bilinearly."""
    left = cells_at(columns, values.shape[1])
    along = values[:, left] + (columns - left) * (values[:, left + 1] - values[:, left])
    top = cells_at(rows, values.shape[0])
    part = (rows - top)[:, None]
    return np.asarray(along[top] * (1 - part) + along[top + 1] * part)


def nodes_beyond(start: int, size: int, step: int) -> Coordinates:
    """Return every `step`-th pixel from `start` on, the last at or beyond the pixel ``start + size``."""
    nodes: Coordinates = start + step * np.arange(_node_count(size, step), dtype=np.float64)
    return nodes


def node_weights(size: int, step: int) -> Coordinates:
    """Return the weights (pixel, node) of the nodes of `nodes_beyond` in linear interpolation between them.

    Interpolating is ``rows @ values @ columns.T``. It rounds otherwise than `interpolated`, in the last bit: simulated
    scenes, whose noise depends on every bit of a place, would not be the same with that.
    """
    distance = np.arange(size)[:, None] / step - np.arange(_node_count(size, step))[None, :]
    return np.maximum(0.0, 1.0 - np.abs(distance))


def _node_count(size: int, step: int) -> int:
    return ceil_div(size, step) + 1
