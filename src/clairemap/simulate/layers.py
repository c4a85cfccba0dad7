"""Rasters of a simulated scene: their formats, and how they are written."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rasterio.io
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from clairemap.grid.window import Window
from clairemap.provenance import written_whole
from clairemap.raster.opening import open_raster
from clairemap.raster.source import rasterio_window
from clairemap.simulate.materials import OPTICAL_BANDS, SAR_BANDS

BAND_PX = 128


@dataclass(frozen=True)
class RasterLayer:
    """Bands, type and nodata of a raster."""

    bands: tuple[str, ...]
    dtype: str
    nodata: float | None
    predictor: int = 2  # of the compression: 2 for integers, 3 for floats


OPTICAL = RasterLayer(OPTICAL_BANDS, "uint16", 0)
LABEL = RasterLayer(("class",), "uint8", 0)
CLOUD = RasterLayer(("cloud",), "uint8", None)
SAR = RasterLayer(SAR_BANDS, "float32", float("nan"), predictor=3)


@contextmanager
def new_raster(
    target: Path, grid: GeoBox, layer: RasterLayer, tags: Mapping[str, str]
) -> Iterator[rasterio.io.DatasetWriter]:
    """Open a tiled GeoTIFF for writing; it is renamed to `target` at the end of the block, unless there is an error."""
    height, width = grid_shape(grid)
    with (
        written_whole(target) as part,
        open_raster(
            part,
            "w",
            driver="GTiff",
            height=height,
            width=width,
            count=len(layer.bands),
            dtype=layer.dtype,
            crs=str(grid.crs),
            transform=grid.transform,
            nodata=layer.nodata,
            tiled=True,
            blockxsize=256,
            blockysize=BAND_PX,
            compress="deflate",
            predictor=layer.predictor,
        ) as raster,
    ):
        raster.update_tags(**tags)
        raster.descriptions = layer.bands
        yield raster


def grid_shape(grid: GeoBox) -> tuple[int, int]:
    """Return height and width of a grid in pixels."""
    height, width = grid.shape
    return int(height), int(width)


def write(raster: rasterio.io.DatasetWriter, window: Window, values: NDArray[Any]) -> None:
    """Write bands (band, y, x) or one band (y, x) into a window."""
    bands = values if values.ndim == 3 else values[None]
    raster.write(bands.astype(raster.dtypes[0]), window=rasterio_window(window))
