"""Writer of one-band ``uint8`` maps as Cloud-Optimized GeoTIFFs, window by window.

GDAL's COG driver cannot write by windows, so a tiled GeoTIFF is written and then copied. GDAL reports a full disk late
or, with threads or on closing, not at all. Each map is therefore read back and checked before it is renamed.
"""

import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError

from clairemap.classes import MAP_NODATA, Rgb
from clairemap.disk import disk_full
from clairemap.errors import StoreError
from clairemap.grid.rounding import ceil_div
from clairemap.grid.tiles import tiles
from clairemap.grid.window import Window
from clairemap.provenance import temporary_beside
from clairemap.raster.opening import bounded_cache, copy_raster, is_stored, open_raster
from clairemap.raster.overviews import Shrink, with_overviews
from clairemap.raster.source import rasterio_window

log = logging.getLogger(__name__)

WRITE_BLOCK_PX = 512
"""Side of the blocks of a map; writing is fastest for windows aligned to it."""

READ_BACK_PX = 4 * WRITE_BLOCK_PX
"""Side of the windows in which a map is read back."""

GDAL_CACHE_MB = 32
"""Limit of GDAL's block cache while a map is written."""

GDAL_FAULTS = RasterioError, CPLE_BaseError, SystemError  # rasterio raises SystemError if GDAL gives no message

# Profile of the intermediate files, chosen for speed and size.
INTERIM = {
    "driver": "GTiff",
    "count": 1,
    "dtype": "uint8",
    "nodata": MAP_NODATA,
    "tiled": True,
    "blockxsize": WRITE_BLOCK_PX,
    "blockysize": WRITE_BLOCK_PX,
    "compress": "ZSTD",
    "zstd_level": 1,
    "sparse_ok": True,
    "bigtiff": "IF_SAFER",
}


@dataclass(frozen=True)
class MapLayer:
    """Metadata of a map with ``uint8`` values, nodata 255.

    `overviews` is the resampling of the overviews: "mode" for classes, "average" for percentages, "first" for counts.
    """

    description: str
    overviews: Shrink
    palette: Mapping[int, Rgb] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    band_tags: Mapping[str, str] = field(default_factory=dict)


class CogWriter:
    """Writer of one map; use as a context manager. The target appears when the block ends without an error.

    Windows that are not written are nodata; blocks of nodata use no space. Memory: 32 MB for GDAL's cache and 20 MB for
    the overviews. Free space needed: three times the map. Write from one thread.
    """

    def __init__(
        self,
        target: Path,
        geobox: GeoBox,
        layer: MapLayer,
        compress: Literal["DEFLATE", "ZSTD"] = "DEFLATE",
        threads: int = 1,
    ) -> None:
        """Prepare the writer.

        Args:
            target: file to write; an existing file is replaced when the new one is complete.
            geobox: the map's grid, with or without a CRS.
            layer: metadata and resampling of the overviews.
            compress: compression of the target.
            threads: threads for compression; the file does not depend on their number.
        """
        self.target = target
        self.layer = layer
        self._compress = compress
        self._threads = threads
        self._folder = temporary_beside(target)
        self._plain, self._part = self._folder / "plain.tif", self._folder / "cog.tif"
        self._shape = (int(geobox.shape[0]), int(geobox.shape[1]))
        # Sum of the values of all pixels, which are nodata until written.
        self._sum = MAP_NODATA * self._shape[0] * self._shape[1]
        self._environment = bounded_cache(GDAL_CACHE_MB)
        self._profile = {
            **INTERIM,
            "height": self._shape[0],
            "width": self._shape[1],
            "crs": None if geobox.crs is None else str(geobox.crs),
            "transform": geobox.transform,
        }

    def __enter__(self) -> Self:
        """Create the file; after an error no temporary file remains.

        Raises:
            DiskFullError: no space is left.
        """
        with ExitStack() as on_failure:
            on_failure.callback(shutil.rmtree, self._folder, ignore_errors=True)
            try:
                self._open()
            except (*GDAL_FAULTS, OSError) as error:
                self._raise_if_disk_full(error)
                raise
            on_failure.pop_all()
        return self

    def write(self, window: Window, values: NDArray[np.uint8]) -> None:
        """Write the values (y, x) of a window; write each pixel at most once.

        Raises:
            DiskFullError: no space is left.
        """
        try:
            self._dataset.write(values, 1, window=rasterio_window(window))
        except GDAL_FAULTS as error:
            self._raise_if_disk_full(error)
            raise
        self._sum += int(values.sum(dtype=np.int64)) - MAP_NODATA * values.size

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Complete the map unless there was an error; remove temporary files."""
        try:
            if kind is None:
                self._finish()
            else:
                with suppress(*GDAL_FAULTS):  # the original error is more informative
                    self._dataset.close()
        finally:
            self._environment.__exit__(None, None, None)
            shutil.rmtree(self._folder, ignore_errors=True)

    def _open(self) -> None:
        with ExitStack() as on_failure:
            on_failure.enter_context(self._environment)
            self._folder.mkdir()
            self._dataset = on_failure.enter_context(open_raster(self._plain, "w", **self._profile))
            self._describe()  # before any value: GDAL cannot add a palette to a file with values
            on_failure.pop_all()

    def _finish(self) -> None:
        try:
            self._dataset.close()
            pyramid = with_overviews(
                self._plain, self.layer.overviews, MAP_NODATA, WRITE_BLOCK_PX, INTERIM, self._folder
            )
            with rasterio.Env(GDAL_TIFF_OVR_BLOCKSIZE=_overview_block_px(self._shape)):
                existing = "AUTO" if pyramid.sums else "NONE"  # with AUTO and no overviews GDAL would compute some
                copy_raster(pyramid.path, self._part, driver="COG", overviews=existing, **self._cog_options())
        except GDAL_FAULTS as error:
            self._raise_if_disk_full(error)
            raise
        self._check((self._sum, *pyramid.sums))
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
            "predictor": "YES" if self.layer.overviews == "average" else "NO",  # no gradients in codes and counts
            "bigtiff": "IF_SAFER",
            "sparse_ok": "YES",  # omits blocks of nodata
            "num_threads": str(self._threads),
        }

    def _check(self, sums: tuple[int, ...]) -> None:
        """Compare the sums of the values of map and overviews with the expected sums.

        Raises:
            DiskFullError: the sums differ and no space is left.
            StoreError: the sums differ, or the map cannot be read.
        """
        try:
            found = tuple(_sum_of(self._part, level) for level in range(-1, len(sums) - 1))
        except RasterioError as error:
            self._raise_if_disk_full(error)
            raise StoreError(f"{self.target}: cannot be read back after writing ({error}); run again") from None
        if found != sums:
            self._raise_if_disk_full(None)
            raise StoreError(
                f"{self.target}: the values read back differ from those written (sums {found}, expected {sums}); "
                "run again"
            )

    def _raise_if_disk_full(self, error: Exception | None) -> None:
        """Raise DiskFullError if the disk is full, because GDAL's message often does not mention it."""
        free = shutil.disk_usage(self.target.parent).free
        written = sum(file.stat().st_size for file in self._folder.glob("*"))  # 0 if the folder does not exist
        # GDAL has deleted the incomplete copy, which was about as large as the remaining files.
        if free < max(2 * written, WRITE_BLOCK_PX * WRITE_BLOCK_PX):
            raise disk_full(self.target, 2 * written / 1e6) from error


def _sum_of(path: Path, level: int) -> int:
    """Return the sum of the values of a file (level -1) or of one of its overviews (0 is the largest)."""
    with open_raster(path, **({"overview_level": level} if level >= 0 else {})) as dataset:
        total: int = MAP_NODATA * dataset.height * dataset.width
        for tile in tiles(dataset.shape, READ_BACK_PX):
            if is_stored(dataset, tile.window):
                values = dataset.read(1, window=rasterio_window(tile.window))
                total += int(values.sum(dtype=np.int64)) - MAP_NODATA * values.size
    return total


def _block_px(shape: tuple[int, int]) -> int:
    """Return the side of the map's blocks: 512, unless rio-cogeo would reject it.

    rio-cogeo treats a raster as striped if it is larger than 512 px and exactly one block wide.
    """
    return 384 if _looks_striped(shape, WRITE_BLOCK_PX) else WRITE_BLOCK_PX


def _overview_block_px(shape: tuple[int, int]) -> int:
    """Return the side of the overviews' blocks, a power of 2: 512, unless rio-cogeo would reject it."""
    sides = (WRITE_BLOCK_PX, 1024, 256, 2048, 128, 4096, 64)
    return next((side for side in sides if not any(_looks_striped(o, side) for o in _overviews(shape))), WRITE_BLOCK_PX)


def _overviews(shape: tuple[int, int]) -> Iterator[tuple[int, int]]:
    while max(shape) > WRITE_BLOCK_PX:
        shape = ceil_div(shape[0], 2), ceil_div(shape[1], 2)
        yield shape


def _looks_striped(shape: tuple[int, int], block_px: int) -> bool:
    return shape[1] == block_px and max(shape) > WRITE_BLOCK_PX
