"""Ground pixel size and orientation of grids."""

import math

import numpy as np
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from pyproj import Geod

from clairemap.grid.coordinates import Coordinates, apply_affine
from clairemap.grid.earth import Ellipsoid, crs_of, pixel_to_crs, to_degrees, wrapped_x, x_period
from clairemap.grid.points import Size

TOLERATED_DISTORTION = 0.01
"""Relative difference up to which projected lengths are used as ground lengths (as in UTM)."""

EARTH = Geod(ellps="WGS84")


def pixel_size_m(grid: GeoBox) -> float | None:
    """Return the side of a square with the area of the grid's middle pixel, in metres; None without a CRS."""
    if grid.crs is None:
        return None
    across, down = _middle_sides(grid)
    return _ground_or_plane(
        grid, math.sqrt(float(np.linalg.norm(np.cross(across, down)))), math.sqrt(abs(grid.transform.determinant))
    )


def pixel_width_m(grid: GeoBox) -> float:
    """Return the width in metres of the middle pixel of a grid with a CRS."""
    across, _ = _middle_sides(grid)
    return _ground_or_plane(grid, float(np.linalg.norm(across)), plane_pixel_size(grid).width)


def pixel_height_m(grid: GeoBox) -> float:
    """Return the height in metres of the middle pixel of a grid with a CRS."""
    _, down = _middle_sides(grid)
    return _ground_or_plane(grid, float(np.linalg.norm(down)), plane_pixel_size(grid).height)


def plane_pixel_size(grid: GeoBox) -> Size[float]:
    """Return the height and width of a grid's pixels in units of its CRS."""
    matrix = grid.transform
    return Size(math.hypot(matrix.b, matrix.e), math.hypot(matrix.a, matrix.d))


def projected_pixel_side(grid: GeoBox, crs: CRS) -> float:
    """Return the side of a square with the area of the grid's middle pixel in another CRS, in units of that CRS.

    Infinite if that CRS is not defined there. The grid must have a CRS.
    """
    y, x = grid.shape[0] / 2, grid.shape[1] / 2
    world_x, world_y = pixel_to_crs(grid, crs, np.array([y, y, y + 1]), np.array([x, x + 1, x]))
    world_x = wrapped_x(world_x, float(world_x[0]), x_period(crs))
    if not np.isfinite([world_x, world_y]).all():
        return math.inf
    a, b = world_x[1:] - world_x[0]
    d, e = world_y[1:] - world_y[0]
    return math.sqrt(abs(a * e - b * d))


def up_deg(grid: GeoBox) -> Coordinates:
    """Return the azimuth of the grid's upward direction at its middle and four corners, (5,).

    Degrees clockwise from north, -180 to 180; not finite where the CRS is not defined. The grid must have a CRS.
    """
    height, width = (int(size) for size in grid.shape)
    columns, rows = np.array([0.5, 0, 1, 0, 1]) * width, np.array([0.5, 0, 0, 1, 1]) * height
    here, above = (
        np.stack(to_degrees(crs_of(grid), *apply_affine(grid.transform, columns, rows - up))) for up in (0, 1)
    )
    return np.asarray(EARTH.inv(here[0], here[1], above[0], above[1])[0], np.float64)


def _ground_or_plane(grid: GeoBox, ground_m: float, plane: float) -> float:
    """Return the ground length, or the projected length if both are about equal or the ground length is NaN."""
    proj = crs_of(grid).proj
    if proj.is_geographic:
        return ground_m
    plane_m = float(plane * proj.axis_info[0].unit_conversion_factor)
    return ground_m if abs(ground_m / plane_m - 1) > TOLERATED_DISTORTION else plane_m


def pixel_sides(
    grid: GeoBox, columns: Coordinates, rows: Coordinates, step_px: float = 0.5
) -> tuple[Coordinates, Coordinates]:
    """Return Cartesian vectors (..., 3), in metres, along the row and along the column of pixels at some positions.

    They are central differences over `step_px` to each side, continuous at 180 degrees and at poles; not finite where
    the CRS is not defined. The grid must have a CRS.
    """
    ellipsoid = Ellipsoid.of(crs_of(grid).proj)

    def position(columns: Coordinates, rows: Coordinates) -> Coordinates:
        return ellipsoid.cartesian_m(*apply_affine(grid.transform, columns, rows))

    return (
        (position(columns + step_px, rows) - position(columns - step_px, rows)) / (2 * step_px),
        (position(columns, rows + step_px) - position(columns, rows - step_px)) / (2 * step_px),
    )


def _middle_sides(grid: GeoBox) -> tuple[Coordinates, Coordinates]:
    height, width = grid.shape
    return pixel_sides(grid, np.array(width / 2), np.array(height / 2))
