"""How long a pixel's sides are on the ground, and where up is."""

import math

import numpy as np
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from pyproj import Geod

from clairemap.grid.coordinates import Coordinates, applied
from clairemap.grid.earth import Globe, crs_of, in_turn, pixel_to_crs, to_degrees, turn_of
from clairemap.grid.points import Size

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
    return _ground_or_plane(grid, float(np.linalg.norm(across)), plane_pixel_size(grid).width)


def pixel_height_m(grid: GeoBox) -> float:
    """Return the height of a pixel at the middle of a grid that has a CRS, in metres."""
    _, down = _middle_sides(grid)
    return _ground_or_plane(grid, float(np.linalg.norm(down)), plane_pixel_size(grid).height)


def plane_pixel_size(grid: GeoBox) -> Size[float]:
    """Return the height and width of a pixel in the plane of a grid's CRS, in units of the CRS."""
    matrix = grid.transform
    return Size(math.hypot(matrix.b, matrix.e), math.hypot(matrix.a, matrix.d))


def projected_pixel_side(grid: GeoBox, crs: CRS) -> float:
    """Return the side of the square that has the area of the grid's middle pixel in another CRS, in its units.

    Infinite where that CRS is not defined there. The grid has a CRS.
    """
    y, x = grid.shape[0] / 2, grid.shape[1] / 2
    world_x, world_y = pixel_to_crs(grid, crs, np.array([y, y, y + 1]), np.array([x, x + 1, x]))
    world_x = in_turn(world_x, float(world_x[0]), turn_of(crs))
    if not np.isfinite([world_x, world_y]).all():
        return math.inf
    a, b = world_x[1:] - world_x[0]
    d, e = world_y[1:] - world_y[0]
    return math.sqrt(abs(a * e - b * d))


def up_deg(grid: GeoBox) -> Coordinates:
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


def pixel_sides(
    grid: GeoBox, columns: Coordinates, rows: Coordinates, step_px: float = 0.5
) -> tuple[Coordinates, Coordinates]:
    """Return the vectors in space (…, 3), in metres, along the row and along the column of a pixel at some places.

    They are found from places `step_px` to each side. The grid has a CRS; not finite where that is not defined. In
    space, unlike in longitude and latitude, neither 180 degrees nor a pole is anything special.
    """
    globe = Globe.of(crs_of(grid).proj)

    def place(columns: Coordinates, rows: Coordinates) -> Coordinates:
        return globe.places(*applied(grid.transform, columns, rows))

    return (
        (place(columns + step_px, rows) - place(columns - step_px, rows)) / (2 * step_px),
        (place(columns, rows + step_px) - place(columns, rows - step_px)) / (2 * step_px),
    )


def _middle_sides(grid: GeoBox) -> tuple[Coordinates, Coordinates]:
    height, width = grid.shape
    return pixel_sides(grid, np.array(width / 2), np.array(height / 2))
