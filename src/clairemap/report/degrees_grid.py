"""Longitude and latitude over a map, as a small grid from which the page interpolates."""

import numpy as np
from numpy.typing import NDArray

from clairemap.grid.coordinates import apply_affine
from clairemap.grid.earth import to_degrees
from clairemap.grid.window import Window
from clairemap.report.map_frame import MapFrame

Array = NDArray[np.float64]

NODES = (5, 9, 17)
"""Numbers of nodes along each side, tried in order."""

MAX_ERROR_M, MAX_ERROR_PX = 1.0, 0.1
"""Largest error; the larger one of the two counts."""

PROBES = (0.38, 0.5, 0.62)
"""Places in a cell where the error is measured: the error is largest in the middle of inner cells, and at 0.38 of the
outer ones, seen from the edge of the map."""

EARTH_M = 6_378_137.0
CUBIC = 4
"""Nodes along each side of the interpolation."""


def degrees_grid(frame: MapFrame) -> list[list[list[float]]] | None:
    """Return unit vectors (row, column, 3) of WGS 84 longitude and latitude at nodes spread over the displayed map.

    Vectors are smooth at poles and at 180 degrees, too. The page interpolates them by cubic polynomials. None if the
    map has no CRS or a geographic one, or if the error is larger than both 1 m and 0.1 pixel.
    """
    if frame.grid.crs is None or frame.grid.crs.geographic or frame.geometry is None:
        return None
    most_m = max(MAX_ERROR_M, MAX_ERROR_PX * min(frame.geometry.across_m, frame.geometry.down_m))
    for count in NODES:
        nodes = _vectors(frame, np.linspace(0, 1, count))
        if not np.isfinite(nodes).all():
            return None
        nodes = nodes.round(9)
        if error_m(frame, nodes) <= most_m:
            return [[list(map(float, node)) for node in row] for row in nodes]
    return None


def error_m(frame: MapFrame, nodes: Array) -> float:
    """Return the largest distance on the ground between interpolated and exact places, at `PROBES` of each cell."""
    count = len(nodes)
    shares = np.add.outer(np.arange(count - 1), PROBES).ravel() / (count - 1)
    weights = _weights(shares * (count - 1), count)
    found = np.einsum("yi,xj,ijk->yxk", weights, weights, nodes)
    found /= np.linalg.norm(found, axis=-1, keepdims=True)
    return float(EARTH_M * np.linalg.norm(found - _vectors(frame, shares), axis=-1).max())


def _weights(positions: Array, count: int) -> Array:
    """Return the weight of each node at each position, (position, node): cubic polynomials through four nodes."""
    weights = np.zeros((len(positions), count))
    for row, position in zip(weights, positions, strict=True):
        first = int(np.clip(np.floor(position) - 1, 0, count - CUBIC))
        for node in range(first, first + CUBIC):
            others = [other for other in range(first, first + CUBIC) if other != node]
            row[node] = np.prod([(position - other) / (node - other) for other in others])
    return weights


def _vectors(frame: MapFrame, shares: Array) -> Array:
    """Return the unit vectors at shares of the displayed map's height and width, (y, x, 3)."""
    if frame.grid.crs is None:
        raise ValueError("a map without CRS has no longitudes")
    left, top, right, bottom = frame.box(Window.whole(frame.shape))
    y, x = np.meshgrid(top + shares * (bottom - top), left + shares * (right - left), indexing="ij")
    column, row = apply_affine(~frame.from_pixels, x, y)
    degrees = to_degrees(frame.grid.crs, *apply_affine(frame.grid.transform, column, row))
    longitude, latitude = (np.radians(np.where(np.isfinite(each), each, np.nan)) for each in degrees)
    across = np.cos(latitude)
    return np.stack([across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude)], axis=-1)
