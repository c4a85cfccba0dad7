"""The one grid of bands of different pixel size: the finest, where all bands have pixels."""

import math
from collections.abc import Mapping

from affine import Affine
from odc.geo.crs import CRS

from clairemap.artefacts.scene_sources import PixelGrid
from clairemap.errors import GridError
from clairemap.grid.coordinates import apply_affine
from clairemap.grid.earth import crs_name

TOLERANCE = 1e-6
"""Relative difference of pixel sizes, and pixels beyond an edge, that rounding of coordinates explains."""


def common_grid(grids: Mapping[str, PixelGrid], where: str) -> PixelGrid:
    """Return the grid of the band with the smallest pixels, cut to whole pixels that all bands cover.

    Args:
        grids: grid of each band by its file.
        where: cell, for messages.

    Raises:
        GridError: the bands have different CRSs or orientations, or do not overlap.
    """
    name, finest = min(grids.items(), key=lambda item: _pixel_area(item[1]))
    x0, y0, x1, y1 = 0, 0, finest.width, finest.height
    for other_name, other in grids.items():
        _check_crs(name, finest, other_name, other, where)
        (left, top), (right, top_right), (left_below, bottom) = (
            in_pixels_of(finest, other, *corner) for corner in ((0, 0), (other.width, 0), (0, other.height))
        )
        turned = max(abs(top_right - top), abs(left_below - left))
        if right <= left or bottom <= top or turned > TOLERANCE * max(right - left, bottom - top):
            raise GridError(
                f"{where}: {name} and {other_name} have different orientations (one is rotated or has rows from south "
                f"to north); bring them to one: gdalwarp {other_name} north_up.tif"
            )
        x0, y0 = max(x0, math.ceil(left - TOLERANCE)), max(y0, math.ceil(top - TOLERANCE))
        x1, y1 = min(x1, math.floor(right + TOLERANCE)), min(y1, math.floor(bottom + TOLERANCE))
        if x0 >= x1 or y0 >= y1:
            raise GridError(
                f"{where}: {name} and {other_name} do not overlap: they cover {_extent(finest)} and {_extent(other)}; "
                "name files of one place and one date"
            )
    a, b, _, d, e, _ = finest.transform
    x, y = apply_affine(Affine(*finest.transform), x0, y0)
    return PixelGrid(crs=finest.crs, transform=(a, b, float(x), d, e, float(y)), height=y1 - y0, width=x1 - x0)


def in_pixels_of(target: PixelGrid, own: PixelGrid, column: float, row: float) -> tuple[float, float]:
    """Return a position in pixels of one grid (column, row) in pixels of another."""
    place = apply_affine(Affine(*own.transform), column, row)
    x, y = apply_affine(~Affine(*target.transform), *place)
    return float(x), float(y)


def _pixel_area(grid: PixelGrid) -> float:
    a, b, _, d, e, _ = grid.transform
    return abs(a * e - b * d)


def _check_crs(name: str, first: PixelGrid, other_name: str, other: PixelGrid, where: str) -> None:
    if first.crs == other.crs or (first.crs is not None and other.crs is not None and CRS(first.crs) == CRS(other.crs)):
        return
    raise GridError(
        f"{where}: {name} is in {_crs_name(first)}, {other_name} in {_crs_name(other)}; bring the bands of a scene to "
        f"one CRS (gdalwarp -t_srs ... {other_name}), or name files of one product"
    )


def _crs_name(grid: PixelGrid) -> str:
    if grid.crs is None:
        return "no CRS"
    return crs_name(CRS(grid.crs))


def _extent(grid: PixelGrid) -> str:
    left, top = apply_affine(Affine(*grid.transform), 0, 0)
    right, bottom = apply_affine(Affine(*grid.transform), grid.width, grid.height)
    return f"x {left:.10g} to {right:.10g}, y {top:.10g} to {bottom:.10g}"
