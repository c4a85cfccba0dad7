"""The one place where raster files are opened, so that GDAL's cache of their blocks is bounded wherever that happens.

GDAL's own limit is a twentieth of all memory, for each process: 3 GB on a node with 64.
"""

from pathlib import Path
from typing import Any

import rasterio
import rasterio.shutil
from rasterio._env import get_gdal_config, set_gdal_config

from clairemap.grid.rounding import ceil_div
from clairemap.grid.window import Window

CACHE_MB = 64
_LIMIT = "GDAL_CACHEMAX"


def bounded_cache(megabytes: int = CACHE_MB) -> rasterio.Env:
    """Return a context in which GDAL keeps no more of the files' blocks than this."""
    return rasterio.Env(**{_LIMIT: megabytes * 2**20})  # rasterio passes numbers on in bytes


def open_raster(path: Path | str, mode: str = "r", /, **options: Any) -> Any:  # noqa: ANN401 - rasterio has no types
    """Return a dataset of rasterio, opened with its options; GDAL's cache is bounded from now on."""
    _bound()
    return rasterio.open(path, mode, **options)


def copy_raster(source: Path, target: Path, **options: Any) -> None:  # noqa: ANN401 - options of GDAL's drivers
    """Copy a raster with the options of a driver of GDAL; its cache is bounded from now on."""
    _bound()
    rasterio.shutil.copy(source, target, **options)


def _bound() -> None:
    """Lower the limit, which is one for the whole process, to `CACHE_MB` if it is higher."""
    if int(get_gdal_config(_LIMIT)) > CACHE_MB * 2**20:
        set_gdal_config(_LIMIT, CACHE_MB * 2**20)


def is_stored(dataset: Any, window: Window) -> bool:  # noqa: ANN401 - rasterio has no types
    """Return whether a file holds any block of a window. Where it holds none all is nodata and need not be read.

    Sparse GeoTIFFs leave out blocks of nodata; of other files the answer is always True.
    """
    if dataset.driver != "GTiff":
        return True
    height, width = dataset.block_shapes[0]
    return any(
        dataset.get_tag_item(f"BLOCK_OFFSET_{column}_{row}", "TIFF", bidx=1) is not None
        for row in range(window.y0 // height, ceil_div(window.y1, height))
        for column in range(window.x0 // width, ceil_div(window.x1, width))
    )
