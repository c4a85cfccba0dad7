"""Opening of raster files with a limit on GDAL's block cache (default: 5 % of the memory per process).

All modules open rasters through this one.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import rasterio
import rasterio.shutil
from rasterio._env import get_gdal_config, set_gdal_config
from rasterio.enums import Resampling
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT

from clairemap.grid.rounding import ceil_div
from clairemap.grid.window import Window
from clairemap.raster.remote_files import prepare

if TYPE_CHECKING:
    import xarray as xr

CACHE_MB = 64
"""Limit of GDAL's block cache for the process."""

_LIMIT = "GDAL_CACHEMAX"


def bounded_cache(megabytes: int = CACHE_MB) -> rasterio.Env:
    """Return a context that limits GDAL's block cache."""
    return rasterio.Env(**{_LIMIT: megabytes * 2**20})  # rasterio expects bytes


def open_raster(path: Path | str, mode: str = "r", /, **options: Any) -> Any:  # noqa: ANN401 - rasterio has no types
    """Return a rasterio dataset opened with rasterio's options; from now on GDAL's cache is limited."""
    _limit_cache()
    prepare()
    return rasterio.open(path, mode, **options)


def open_lazily(path: Path, chunk_px: int, *, coordinates: bool) -> "xr.DataArray":
    """Return a raster (band, y, x) for dask, float with NaN for nodata; from now on GDAL's cache is limited.

    Args:
        path: the file.
        chunk_px: side of dask's chunks.
        coordinates: whether x and y get coordinates; those of rotated grids would be two whole rasters in memory.
    """
    import rioxarray  # noqa: PLC0415 - only interactive use needs it

    _limit_cache()
    chunks = {"y": chunk_px, "x": chunk_px}
    found = rioxarray.open_rasterio(path, masked=True, chunks=chunks, parse_coordinates=coordinates)
    return cast("xr.DataArray", found)  # only files with several subdatasets are not one array


def copy_raster(source: Any, target: Path, **options: Any) -> None:  # noqa: ANN401 - options of GDAL's drivers
    """Copy a raster (path or open dataset) with options of a GDAL driver; from now on GDAL's cache is limited."""
    _limit_cache()
    rasterio.shutil.copy(source, target, **options)


def _limit_cache() -> None:
    if int(get_gdal_config(_LIMIT)) > CACHE_MB * 2**20:
        set_gdal_config(_LIMIT, CACHE_MB * 2**20)


def is_stored(dataset: Any, window: Window) -> bool:  # noqa: ANN401 - rasterio has no types
    """Return whether a file contains any block of a window; if not, the whole window is nodata.

    Only sparse GeoTIFFs omit blocks of nodata; for other formats the result is True.
    """
    if dataset.driver != "GTiff":
        return True
    height, width = dataset.block_shapes[0]
    return any(
        dataset.get_tag_item(f"BLOCK_OFFSET_{column}_{row}", "TIFF", bidx=1) is not None
        for row in range(window.y0 // height, ceil_div(window.y1, height))
        for column in range(window.x0 // width, ceil_div(window.x1, width))
    )


def on_grid_of(reference: DatasetReader, dataset: DatasetReader, nodata: float) -> WarpedVRT:
    """Return an opened raster on the grid of another, nearest pixel; both need a CRS."""
    return WarpedVRT(
        dataset,
        crs=reference.crs,
        transform=reference.transform,
        height=reference.height,
        width=reference.width,
        resampling=Resampling.nearest,
        nodata=nodata,
    )
