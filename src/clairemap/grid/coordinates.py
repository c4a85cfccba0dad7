"""Coordinates of a grid's pixels in its CRS, and back.

Pixels come as rows y and columns x, in that order; places in a CRS as x and y, in that order, as pyproj has them.
"""

from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from clairemap.grid.window import Window

Coordinates = NDArray[np.float64]

PROBES_ALONG_SIDE = 9
"""Points along each side of a grid at which grids, projections and displacements are checked and compared."""


def applied(transform: Affine, x: NDArray[Any] | float, y: NDArray[Any] | float) -> tuple[Coordinates, Coordinates]:
    """Return x and y carried over by an affine transform, in the shape that they have.

    A grid's transform takes columns and rows to its CRS (a pixel's centre is at .5), its inverse takes them back.
    """
    # Affine's own operators differ between its versions: `*` is deprecated in 3, `@` takes no points in 2.
    return (
        np.asarray(transform.a * x + transform.b * y + transform.c, np.float64),
        np.asarray(transform.d * x + transform.e * y + transform.f, np.float64),
    )


def pixel_to_world(grid: GeoBox, y: NDArray[Any] | float, x: NDArray[Any] | float) -> tuple[Coordinates, Coordinates]:
    """Return the coordinates (x, y) in the grid's CRS of positions in pixels; a pixel's centre is at .5."""
    return applied(grid.transform, x, y)


def world_to_pixel(grid: GeoBox, x: NDArray[Any] | float, y: NDArray[Any] | float) -> tuple[Coordinates, Coordinates]:
    """Return the positions (y, x) in pixels of coordinates in the grid's CRS; a pixel's centre is at .5."""
    column, row = applied(~grid.transform, x, y)
    return row, column


def probe_points(window: Window) -> tuple[Coordinates, Coordinates]:
    """Return points (y, x) spread evenly over a window, the centres of its corner pixels (0 = first) among them."""
    sides = (window.y0, window.y1 - 1), (window.x0, window.x1 - 1)
    return mesh_grid(*(np.linspace(first, last, PROBES_ALONG_SIDE) for first, last in sides))


def mesh_grid(y: NDArray[Any], x: NDArray[Any]) -> tuple[Coordinates, Coordinates]:
    """Return the coordinates (y, x) of all crossings of rows and columns, both of the shape (rows, columns)."""
    grid_y, grid_x = np.meshgrid(y.astype(np.float64), x.astype(np.float64), indexing="ij")
    return grid_y, grid_x
