"""Writing one-band ``uint8`` maps as Cloud-Optimized GeoTIFFs, window by window.

GDAL's COG driver can't be written to by windows, so a tiled GeoTIFF is written first and then copied. GDAL
reports a full disk late or, with threads or on closing, not at all; each map is therefore read back and compared
with what was written before it takes its name.
"""

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import rasterio
import rasterio.shutil
import rasterio.windows
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rio_cogeo import cog_validate

from clairemap.classes import MAP_NODATA, Rgb
from clairemap.errors import DiskFullError, StoreError
from clairemap.grid.tiles import row_bands
from clairemap.grid.window import Window
from clairemap.provenance import temporary_beside
from clairemap.raster.source import bounded_cache

log = logging.getLogger(__name__)

BLOCK_PX = 512
"""Side of the blocks while a map is written: windows that start and end at its multiples are written fastest."""

GDAL_CACHE_MB = 128


@dataclass(frozen=True)
class MapLayer:
    """What a map says about itself. Values are ``uint8``, 255 is nodata.

    `overviews` is how GDAL makes the smaller copies: "mode" keeps classes classes, "average" leaves nodata out.
    """

    description: str
    overviews: Literal["mode", "average"]
    palette: Mapping[int, Rgb] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    band_tags: Mapping[str, str] = field(default_factory=dict)


class CogWriter:
    """A map that is being written; use as a context manager: it takes its name when the block ends well.

    Windows never written are nodata. Memory is bounded by GDAL's block cache (128 MB) whatever the map's size;
    the folder needs room for the map twice. Write from one thread.
    """

    def __init__(
        self,
        target: Path,
        geobox: GeoBox,
        layer: MapLayer,
        compress: Literal["DEFLATE", "ZSTD"] = "DEFLATE",
        threads: int = 1,
    ) -> None:
        """Start a map.

        Args:
            target: file to make; an older one is replaced when the new one is whole.
            geobox: its grid; without a CRS the map has pixel coordinates only.
            layer: description, colours and tags.
            compress: of the final file; both keep the values exactly.
            threads: that compress it and make its overviews; the file is the same whatever their number.
        """
        self.target = target
        self.layer = layer
        self._compress = compress
        self._threads = threads
        self._plain = temporary_beside(target)
        self._part = temporary_beside(target)
        self._shape = (int(geobox.shape[0]), int(geobox.shape[1]))
        # What the values of all pixels sum to; all are nodata until they are written.
        self._sum = MAP_NODATA * self._shape[0] * self._shape[1]
        self._environment = bounded_cache(GDAL_CACHE_MB)
        self._profile = {
            "driver": "GTiff",
            "height": self._shape[0],
            "width": self._shape[1],
            "count": 1,
            "dtype": "uint8",
            "nodata": MAP_NODATA,
            "crs": None if geobox.crs is None else str(geobox.crs),
            "transform": geobox.transform,
            "tiled": True,
            "blockxsize": BLOCK_PX,
            "blockysize": BLOCK_PX,
            "compress": "DEFLATE",
            "zlevel": 1,
            "sparse_ok": True,
            "bigtiff": "IF_SAFER",
        }

    def __enter__(self) -> Self:
        self._environment.__enter__()
        self._dataset = rasterio.open(self._plain, "w", **self._profile)
        self._describe()  # before any value: GDAL can't turn a file with values into one with a palette
        return self

    def write(self, window: Window, values: NDArray[np.uint8]) -> None:
        """Write the values (y, x) of a window; each pixel at most once.

        Raises:
            DiskFullError: there is no space left.
        """
        area = rasterio.windows.Window(window.x0, window.y0, window.width, window.height)
        try:
            self._dataset.write(values, 1, window=area)
        except RasterioError as error:
            self._explain(error)
            raise
        self._sum += int(values.sum(dtype=np.int64)) - MAP_NODATA * values.size

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
            else:
                self._dataset.close()
        finally:
            self._environment.__exit__(None, None, None)
            for leftover in (self._plain, self._part):
                leftover.unlink(missing_ok=True)

    def _finish(self) -> None:
        try:
            self._dataset.close()
            rasterio.shutil.copy(self._plain, self._part, driver="COG", **self._cog_options())
        except (RasterioError, CPLE_BaseError) as error:
            self._explain(error)
            raise
        self._check()
        self._part.replace(self.target)
        log.info("%s: %d x %d px, %.1f MB", self.target.name, *self._shape, self.target.stat().st_size / 1e6)

    def _describe(self) -> None:
        if self.layer.palette:
            self._dataset.write_colormap(1, {code: (*rgb, 255) for code, rgb in self.layer.palette.items()})
        self._dataset.set_band_description(1, self.layer.description)
        self._dataset.update_tags(**self.layer.tags)
        self._dataset.update_tags(1, **self.layer.band_tags)

    def _cog_options(self) -> dict[str, Any]:
        return {
            "blocksize": _block_px(self._shape),
            "compress": self._compress,
            "overview_resampling": self.layer.overviews,
            "predictor": "NO" if self.layer.overviews == "mode" else "YES",  # class codes have no gradient
            "bigtiff": "IF_SAFER",
            "num_threads": str(self._threads),
        }

    def _check(self) -> None:
        valid, faults, warnings = cog_validate(self._part, strict=True, quiet=True)
        if not valid:
            raise StoreError(f"{self.target}: GDAL wrote no valid COG: {'; '.join([*faults, *warnings])}")
        try:
            found = self._sum_in_file()
        except RasterioError as error:
            self._explain(error)
            raise StoreError(f"{self.target}: can't be read back after writing ({error}); run again") from None
        if found != self._sum:
            self._explain(None)
            raise StoreError(f"{self.target}: holds other values than were written (sums {found}, {self._sum})")

    def _sum_in_file(self) -> int:
        with rasterio.open(self._part) as dataset:
            bands = (rasterio.windows.Window(0, b.y0, b.width, b.height) for b in row_bands(self._shape, BLOCK_PX))
            return sum(int(dataset.read(1, window=area).sum(dtype=np.int64)) for area in bands)

    def _explain(self, error: Exception | None) -> None:
        """Raise DiskFullError if that is why writing failed: GDAL's own text often doesn't say so."""
        free = shutil.disk_usage(self.target.parent).free
        written = self._plain.stat().st_size if self._plain.exists() else 0
        if free < max(written, BLOCK_PX * BLOCK_PX):
            raise DiskFullError(
                f"{self.target}: no space left ({free / 1e6:.1f} MB free, about {written / 1e6:.1f} MB more "
                "needed): free some, run again"
            ) from error


def _block_px(shape: tuple[int, int]) -> int:
    """Return the side of the blocks in the final file: 512 wherever that passes validation.

    rio-cogeo takes a file or overview for one in strips if it is exactly as wide as its blocks and higher than 512.
    """
    return next(side for side in (BLOCK_PX, 384, 640) if not _looks_striped(shape, side))


def _looks_striped(shape: tuple[int, int], block_px: int) -> bool:
    height, width = shape
    while max(height, width) > BLOCK_PX:
        if width in (block_px, block_px - 1):  # GDAL may round an overview's size up
            return True
        height, width = height // 2, width // 2
    return False
