"""Mapping between two opened rasters, with a check that they overlap."""

import shlex

import numpy as np

from clairemap.errors import GridError, NoOverlapError
from clairemap.grid.coordinates import Coordinates, mesh_grid, pixel_to_world
from clairemap.grid.earth import crs_name
from clairemap.grid.mapping import OUTSIDE, PixelMapping
from clairemap.grid.mesh import corners
from clairemap.raster.source import RasterSource
from clairemap.registration.model import NO_DISPLACEMENT, Displacement

RIM_POINTS = 33
"""Points along each side of a grid for the overlap check."""


def mapping_between(target: RasterSource, source: RasterSource, model: Displacement = NO_DISPLACEMENT) -> PixelMapping:
    """Return the mapping from one opened raster's grid to another's.

    Raises:
        GridError: only one of the two has a CRS.
        NoOverlapError: they do not overlap.
    """
    if (target.geobox.crs is None) != (source.geobox.crs is None):
        bare, placed = (target, source) if target.geobox.crs is None else (source, target)
        raise GridError(
            f"{bare.path} has no CRS, but {placed.path} has {_name(placed)}; "
            f"assign a CRS to {bare.path} (gdal_edit.py -a_srs EPSG:... {shlex.quote(str(bare.path))}), or remove "
            "the CRS from both files to align them by pixel position"
        )
    mapping = PixelMapping(target.geobox, source.geobox, model)
    _check_overlap(mapping, target, source)
    return mapping


def _check_overlap(mapping: PixelMapping, target: RasterSource, source: RasterSource) -> None:
    """Check that the rasters overlap by georeferencing alone; the displacement is not applied."""
    there, back = PixelMapping(mapping.target, mapping.source), PixelMapping(mapping.source, mapping.target)
    if _touches(back) or _touches(there):
        return
    y, x = back.exact(*_rim(source.shape))
    if (seen := (y > OUTSIDE / 2) & (x > OUTSIDE / 2)).any():
        y, x = y[seen], x[seen]
    raise NoOverlapError(
        f"{target.path} and {source.path} do not overlap. Bounds in {_name(target)} "
        f"(left, bottom, right, top): {_bounds(target, *_rim(target.shape))} and {_bounds(target, y, x)}; "
        "correct the pairing in the sample sheet, or the files' georeferencing"
    )


def _touches(mapping: PixelMapping) -> bool:
    """Return whether one of 32 x 32 cells of the target touches the source, ignoring cells split at 180 degrees."""
    y, x = mapping.exact(*mesh_grid(*(np.linspace(-0.5, size - 0.5, RIM_POINTS) for size in mapping.target.shape)))
    height, width = mapping.source.shape
    (y0, x0), (y1, x1) = ([extreme(corners(each), axis=0) for each in (y, x)] for extreme in (np.min, np.max))
    touched = (y0 > OUTSIDE / 2) & (x0 > OUTSIDE / 2) & (y1 > -0.5) & (y0 < height - 0.5)
    if mapping.source_period_px is None:
        touched &= (x1 > -0.5) & (x0 < width - 0.5) & (x1 - x0 < mapping.half_period_px)
    return bool(touched.any())


def _rim(shape: tuple[int, int]) -> tuple[Coordinates, Coordinates]:
    along_y, along_x = (np.linspace(-0.5, size - 0.5, RIM_POINTS) for size in shape)
    y, x = mesh_grid(along_y, along_x)
    rim = np.ones(y.shape, np.bool_)
    rim[1:-1, 1:-1] = False
    return y[rim], x[rim]


def _bounds(grid: RasterSource, y: Coordinates, x: Coordinates) -> str:
    world_x, world_y = pixel_to_world(grid.geobox, y + 0.5, x + 0.5)
    return f"({world_x.min():.10g}, {world_y.min():.10g}, {world_x.max():.10g}, {world_y.max():.10g})"


def _name(grid: RasterSource) -> str:
    return "pixels" if grid.geobox.crs is None else crs_name(grid.geobox.crs)
