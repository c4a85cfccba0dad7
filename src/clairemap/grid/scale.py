"""How long a pixel's sides are on the ground, and where up is."""

import math

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Geod

from clairemap.grid.coordinates import applied
from clairemap.grid.earth import Globe, crs_of, to_degrees

Values = NDArray[np.float64]

TOLERATED_DISTORTION = 0.01
"""Share up to which lengths in a projection's plane count as the ground's: in UTM, not in Mercator at 60 degrees."""

EARTH = Geod(ellps="WGS84")


def pixel_size_m(grid: GeoBox) -> float | None:
    """Return the side of a square as large as the grid's middle pixel, in metres; None without a CRS."""
    if grid.crs is None:
        return None
    across, down = _middle_sides(grid)
    return _ground_or_plane(
        grid, math.sqrt(float(np.linalg.norm(np.cross(across, down)))), math.sqrt(abs(grid.transform.determinant))
    )


def pixel_width_m(grid: GeoBox) -> float:
    """Return the width of a pixel at the middle of a grid that has a CRS, in metres."""
    across, _ = _middle_sides(grid)
    return _ground_or_plane(grid, float(np.linalg.norm(across)), math.hypot(grid.transform.a, grid.transform.d))


def pixel_height_m(grid: GeoBox) -> float:
    """Return the height of a pixel at the middle of a grid that has a CRS, in metres."""
    _, down = _middle_sides(grid)
    return _ground_or_plane(grid, float(np.linalg.norm(down)), math.hypot(grid.transform.b, grid.transform.e))


def up_deg(grid: GeoBox) -> Values:
    """Return the direction of up, in degrees from north to east, -180..180: at the middle and at the four corners.

    The grid has a CRS. Not finite where that is not defined.
    """
    height, width = (int(size) for size in grid.shape)
    columns, rows = np.array([0.5, 0, 1, 0, 1]) * width, np.array([0.5, 0, 0, 1, 1]) * height
    here, above = (np.stack(to_degrees(crs_of(grid), *applied(grid.transform, columns, rows - up))) for up in (0, 1))
    return np.asarray(EARTH.inv(here[0], here[1], above[0], above[1])[0], np.float64)


def _ground_or_plane(grid: GeoBox, ground_m: float, plane: float) -> float:
    """Return a length on the ground; that in the plane where they hardly differ, or the ground's is not known."""
    proj = crs_of(grid).proj
    if proj.is_geographic:
        return ground_m
    plane_m = float(plane * proj.axis_info[0].unit_conversion_factor)
    return ground_m if abs(ground_m / plane_m - 1) > TOLERATED_DISTORTION else plane_m


def pixel_sides(grid: GeoBox, columns: Values, rows: Values, step_px: float = 0.5) -> tuple[Values, Values]:
    """Return the vectors in space (…, 3), in metres, along the row and along the column of a pixel at some places.

    They are found from places `step_px` to each side. The grid has a CRS; not finite where that is not defined. In
    space, unlike in longitude and latitude, neither 180 degrees nor a pole is anything special.
    """
    globe = Globe.of(crs_of(grid).proj)

    def place(columns: Values, rows: Values) -> Values:
        return globe.places(*applied(grid.transform, columns, rows))

    return (
        (place(columns + step_px, rows) - place(columns - step_px, rows)) / (2 * step_px),
        (place(columns, rows + step_px) - place(columns, rows - step_px)) / (2 * step_px),
    )


def _middle_sides(grid: GeoBox) -> tuple[Values, Values]:
    height, width = grid.shape
    return pixel_sides(grid, np.array(width / 2), np.array(height / 2))
