"""Difference of a map from an earlier one of the same region."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError

from clairemap.classes import MAP_NODATA
from clairemap.errors import GridError, UnreadableFileError
from clairemap.grid.window import Window
from clairemap.raster.opening import on_grid_of, open_raster
from clairemap.raster.source import rasterio_window
from clairemap.report.pyramid import LayerSource


def difference_source(landcover: LayerSource, path: Path, earlier: Path, table: NDArray[np.uint8]) -> LayerSource:
    """Return the earlier map's class where it differs from the map, as a layer; nodata elsewhere.

    An earlier map on another grid is resampled, nearest pixel.

    Args:
        landcover: layer of the map.
        path: file of the map.
        earlier: file of the earlier map, with the same codes.
        table: class index of each code.

    Raises:
        UnreadableFileError: the earlier map cannot be read.
        GridError: only one of the maps has a CRS, or none has one and their grids differ.
    """
    _check_grids(path, earlier)

    def read(window: Window, step: int) -> NDArray[np.uint8]:
        now = landcover.read(window, step)
        before = table[_on_grid(path, earlier, window, now.shape)]
        known = (now != MAP_NODATA) & (before != MAP_NODATA)
        return np.where(known & (now != before), before, MAP_NODATA).astype(np.uint8)

    return LayerSource("difference", "classes", 1, read)


def _check_grids(path: Path, earlier: Path) -> None:
    try:
        with open_raster(path) as now, open_raster(earlier) as before:
            same = now.shape == before.shape and now.transform == before.transform
            if bool(now.crs) != bool(before.crs) or (not now.crs and not same):
                raise GridError(
                    f"{earlier}: cannot be compared with {path}: only maps with a CRS, or with the same grid, can be. "
                    "Correct report.compare_with"
                )
    except RasterioError as error:
        raise UnreadableFileError(f"{earlier}: cannot be read ({error}); correct report.compare_with") from None


def _on_grid(path: Path, earlier: Path, window: Window, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    options = {"window": rasterio_window(window), "out_shape": shape, "resampling": Resampling.nearest}
    with open_raster(path) as now, open_raster(earlier) as before:
        if not now.crs or (now.crs, now.transform, now.shape) == (before.crs, before.transform, before.shape):
            return np.asarray(before.read(1, **options), np.uint8)
        with on_grid_of(now, before, MAP_NODATA) as warped:
            return np.asarray(warped.read(1, **options), np.uint8)
