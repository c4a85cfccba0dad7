"""Conversion between pixel positions and coordinates in a grid's CRS.

Pixel positions are in the order (y, x); coordinates in a CRS are in the order (x, y), as in pyproj.
"""

from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from clairemap.grid.window import Window

Coordinates = NDArray[np.float64]

PROBES_ALONG_SIDE = 9
"""Number of points per side at which grids are checked and compared."""


def apply_affine(
    transform: Affine, x: NDArray[Any] | float, y: NDArray[Any] | float
) -> tuple[Coordinates, Coordinates]:
    """Return x and y, of any shape, after an affine transform.

    A grid's transform maps (column, row) to (x, y) in its CRS; pixel centres are at .5.
    """
    # The operators of affine depend on its version: `*` is deprecated in 3, `@` does not accept points in 2.
    return (
        np.asarray(transform.a * x + transform.b * y + transform.c, np.float64),
        np.asarray(transform.d * x + transform.e * y + transform.f, np.float64),
    )


def pixel_to_world(grid: GeoBox, y: NDArray[Any] | float, x: NDArray[Any] | float) -> tuple[Coordinates, Coordinates]:
    """Return the coordinates (x, y) in the grid's CRS of pixel positions; pixel centres are at .5."""
    return apply_affine(grid.transform, x, y)


def world_to_pixel(grid: GeoBox, x: NDArray[Any] | float, y: NDArray[Any] | float) -> tuple[Coordinates, Coordinates]:
    """Return the pixel positions (y, x) of coordinates in the grid's CRS; pixel centres are at .5.

    Positions of coordinates that are not finite, as of points that a CRS does not have, are NaN.
    """
    finite = np.isfinite(x) & np.isfinite(y)
    column, row = apply_affine(~grid.transform, np.where(finite, x, np.nan), np.where(finite, y, np.nan))
    return row, column


def probe_points(window: Window) -> tuple[Coordinates, Coordinates]:
    """Return points (y, x), pixel centres at 0, spread evenly over a window, including its corner pixels."""
    sides = (window.y0, window.y1 - 1), (window.x0, window.x1 - 1)
    return mesh_grid(*(np.linspace(first, last, PROBES_ALONG_SIDE) for first, last in sides))


def mesh_grid(y: NDArray[Any], x: NDArray[Any]) -> tuple[Coordinates, Coordinates]:
    """Return the coordinates (y, x) of all combinations of rows and columns, each of shape (rows, columns)."""
    grid_y, grid_x = np.meshgrid(y.astype(np.float64), x.astype(np.float64), indexing="ij")
    return grid_y, grid_x
