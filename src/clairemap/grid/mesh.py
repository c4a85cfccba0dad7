"""Bilinear interpolation of coordinates between the nodes of a mesh over a pixel grid."""

import numpy as np
from numpy.typing import NDArray

from clairemap.grid.coordinates import Coordinates
from clairemap.grid.rounding import ceil_div

MESH_PX = 32
"""Side of a mesh cell in pixels; halved until the interpolation is within `TOLERANCE_PX`."""

TOLERANCE_PX = 0.01
"""Differences up to this are ignored: a tenth of the error of the best registration."""


def aligned_nodes(start: int, stop: int, step: int) -> Coordinates:
    """Return at least two multiples of `step`, from at most `start` to at least ``stop - 1``."""
    first = start // step
    last = max(ceil_div(stop - 1, step), first + 1)
    nodes: Coordinates = np.arange(first, last + 1, dtype=np.float64) * step
    return nodes


def spread_nodes(size: int, step: int) -> Coordinates:
    """Return evenly spaced nodes from 0 to ``size - 1`` inclusive, about `step` apart; exactly 1 if `step` is 1."""
    cells = size - 1 if step == 1 else ceil_div(size, step)
    return np.linspace(0, size - 1, max(cells, 1) + 1)


def midpoints(nodes: Coordinates) -> Coordinates:
    """Return the midpoints between neighbouring nodes."""
    return (nodes[:-1] + nodes[1:]) / 2


def corners(values: Coordinates) -> list[Coordinates]:
    """Return the values at the four corners of each cell of a mesh (row, column)."""
    return [values[:-1, :-1], values[:-1, 1:], values[1:, :-1], values[1:, 1:]]


def cell_means(values: Coordinates) -> Coordinates:
    """Return the mean of each cell's corners (row, column), which is the interpolated midpoint."""
    return np.asarray(np.mean(corners(values), axis=0))


def differ(found: tuple[Coordinates, Coordinates], exact: tuple[Coordinates, Coordinates]) -> NDArray[np.bool_]:
    """Return where interpolated coordinates (y, x) differ from the exact ones by more than `TOLERANCE_PX`."""
    y, x = (np.abs(one - other) > TOLERANCE_PX for one, other in zip(found, exact, strict=True))
    return np.asarray(y | x)


def node_positions(pixels: NDArray[np.number], nodes: Coordinates) -> Coordinates:
    """Return the positions of pixels as fractional indices of evenly spaced nodes."""
    spacing = nodes[1] - nodes[0]
    found: Coordinates = (pixels - nodes[0]) / (spacing if spacing > 0 else 1.0)
    return found


def cells_at(indices: Coordinates, nodes: int) -> NDArray[np.intp]:
    """Return the cell that contains each fractional node index, among `nodes` nodes."""
    return np.minimum(indices.astype(np.intp), nodes - 2)


def interpolated(values: Coordinates, rows: Coordinates, columns: Coordinates) -> Coordinates:
    """Return bilinearly interpolated values of a mesh (row, column) at all combinations of fractional node indices."""
    left = cells_at(columns, values.shape[1])
    along = values[:, left] + (columns - left) * (values[:, left + 1] - values[:, left])
    top = cells_at(rows, values.shape[0])
    weight = (rows - top)[:, None]
    return np.asarray(along[top] * (1 - weight) + along[top + 1] * weight)


def nodes_beyond(start: int, size: int, step: int) -> Coordinates:
    """Return every `step`-th pixel from `start` to at least ``start + size``."""
    nodes: Coordinates = start + step * np.arange(_node_count(size, step), dtype=np.float64)
    return nodes


def node_weights(size: int, step: int) -> Coordinates:
    """Return the weights (pixel, node) for linear interpolation between the nodes of `nodes_beyond`.

    Interpolate with ``rows @ values @ columns.T``. This differs from `interpolated` in the last bit, on which the noise
    of simulated scenes depends.
    """
    distance = np.arange(size)[:, None] / step - np.arange(_node_count(size, step))[None, :]
    return np.maximum(0.0, 1.0 - np.abs(distance))


def _node_count(size: int, step: int) -> int:
    return ceil_div(size, step) + 1
