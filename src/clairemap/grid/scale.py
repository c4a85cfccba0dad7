"""How long a pixel's sides are on the ground, and where up is."""

import math

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Geod

from clairemap.grid.earth import Globe, to_degrees

TOLERATED_DISTORTION = 0.01
"""Share up to which lengths in a projection's plane count as the ground's: in UTM, not in Mercator at 60 degrees."""

EARTH = Geod(ellps="WGS84")


def pixel_size_m(grid: GeoBox) -> float | None:
    """Return the side of a square as large as the grid's middle pixel, in metres; None without a CRS."""
    if grid.crs is None:
        return None
    across, down = _sides(grid)
    return _ground_or_plane(
        grid, math.sqrt(float(np.linalg.norm(np.cross(across, down)))), math.sqrt(abs(grid.transform.determinant))
    )


def pixel_width_m(grid: GeoBox) -> float:
    """Return the width of a pixel at the middle of a grid that has a CRS, in metres."""
    across, _ = _sides(grid)
    return _ground_or_plane(grid, float(np.linalg.norm(across)), math.hypot(grid.transform.a, grid.transform.d))


def pixel_height_m(grid: GeoBox) -> float:
    """Return the height of a pixel at the middle of a grid that has a CRS, in metres."""
    _, down = _sides(grid)
    return _ground_or_plane(grid, float(np.linalg.norm(down)), math.hypot(grid.transform.b, grid.transform.e))


def up_deg(grid: GeoBox) -> NDArray[np.float64]:
    """Return the direction of up, in degrees from north to east, -180..180: at the middle and at the four corners.

    The grid has a CRS. Not finite where that is not defined.
    """
    height, width = (int(size) for size in grid.shape)
    columns, rows = np.array([0, -1, 1, -1, 1]) * width / 2, np.array([0, -1, -1, 1, 1]) * height / 2
    here, above = (np.stack(to_degrees(grid.crs, *_world(grid, columns, rows - up))) for up in (0, 1))
    return np.asarray(EARTH.inv(here[0], here[1], above[0], above[1])[0], np.float64)


def _ground_or_plane(grid: GeoBox, ground_m: float, plane: float) -> float:
    """Return a length on the ground; that in the plane where they hardly differ, or the ground's is not known."""
    if grid.crs.proj.is_geographic:
        return ground_m
    plane_m = float(plane * grid.crs.proj.axis_info[0].unit_conversion_factor)
    return ground_m if abs(ground_m / plane_m - 1) > TOLERATED_DISTORTION else plane_m


def _sides(grid: GeoBox) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the vectors in space, in metres, along a row and along a column of the middle pixel."""
    half = np.array([0.5, -0.5, 0, 0])
    places = Globe.of(grid.crs.proj).places(*_world(grid, half, half[::-1]))
    return places[0] - places[1], places[3] - places[2]


def _world(
    grid: GeoBox, columns: NDArray[np.float64], rows: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x and y of places that lie so many pixels from the grid's middle."""
    height, width = grid.shape
    matrix, x, y = grid.transform, columns + width / 2, rows + height / 2
    return matrix.a * x + matrix.b * y + matrix.c, matrix.d * x + matrix.e * y + matrix.f
