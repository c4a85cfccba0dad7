"""Writing one-band ``uint8`` maps as Cloud-Optimized GeoTIFFs, window by window.

GDAL's COG driver can't be written to by windows, so a tiled GeoTIFF is written first and then copied, with overviews
from `overviews`: GDAL's own take as long as all the rest. GDAL reports a full disk late or, with threads or on closing,
not at all; each map is therefore read back and compared with what was written before it takes its name.
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
from clairemap.errors import DiskFullError, StoreError
from clairemap.grid.rounding import ceil_div
from clairemap.grid.tiles import tiles
from clairemap.grid.window import Window
from clairemap.provenance import temporary_beside
from clairemap.raster.opening import bounded_cache, copy_raster, is_stored, open_raster
from clairemap.raster.overviews import Shrink, with_overviews
from clairemap.raster.source import area_of

log = logging.getLogger(__name__)

WRITE_BLOCK_PX = 512
"""Side of the blocks while a map is written: windows that start and end at its multiples are written fastest."""

READ_BACK_PX = 4 * WRITE_BLOCK_PX
"""Side of the windows in which a map is read back."""

GDAL_CACHE_MB = 32

GDAL_FAULTS = RasterioError, CPLE_BaseError, SystemError  # the last is rasterio's for "GDAL said nothing"

# Of the files that a map is made from: quick to write and small, since no one else reads them.
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
    """What a map says about itself. Values are ``uint8``, 255 is nodata.

    `overviews` is how the smaller copies are made: "mode" keeps classes classes, "first" counts counts.
    """

    description: str
    overviews: Shrink
    palette: Mapping[int, Rgb] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    band_tags: Mapping[str, str] = field(default_factory=dict)


class CogWriter:
    """A map that is being written; use as a context manager: it takes its name when the block ends well.

    Windows never written are nodata, and blocks of nodata take no room in the file. Memory is bounded by GDAL's block
    cache (32 MB) and 20 MB for the overviews, whatever the map's size; the folder needs room for the map thrice.
    Write from one thread.
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
            threads: that compress it and its overviews (made by one); the file is the same whatever their number.
        """
        self.target = target
        self.layer = layer
        self._compress = compress
        self._threads = threads
        self._folder = temporary_beside(target)
        self._plain, self._part = self._folder / "plain.tif", self._folder / "cog.tif"
        self._shape = (int(geobox.shape[0]), int(geobox.shape[1]))
        # What the values of all pixels sum to; all are nodata until they are written.
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
        """Begin the file.

        Raises:
            DiskFullError: there is no space left; as after any other error nothing stays behind.
        """
        with ExitStack() as on_failure:
            on_failure.callback(shutil.rmtree, self._folder, ignore_errors=True)
            try:
                self._open()
            except (*GDAL_FAULTS, OSError) as error:
                self._explain(error)
                raise
            on_failure.pop_all()
        return self

    def write(self, window: Window, values: NDArray[np.uint8]) -> None:
        """Write the values (y, x) of a window; each pixel at most once.

        Raises:
            DiskFullError: there is no space left.
        """
        try:
            self._dataset.write(values, 1, window=area_of(window))
        except GDAL_FAULTS as error:
            self._explain(error)
            raise
        self._sum += int(values.sum(dtype=np.int64)) - MAP_NODATA * values.size

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the file unless there was an error; remove temporary files."""
        try:
            if kind is None:
                self._finish()
            else:
                with suppress(*GDAL_FAULTS):  # the error that there is says more
                    self._dataset.close()
        finally:
            self._environment.__exit__(None, None, None)
            shutil.rmtree(self._folder, ignore_errors=True)

    def _open(self) -> None:
        with ExitStack() as on_failure:
            on_failure.enter_context(self._environment)
            self._folder.mkdir()
            self._dataset = on_failure.enter_context(open_raster(self._plain, "w", **self._profile))
            self._describe()  # before any value: GDAL can't turn a file with values into one with a palette
            on_failure.pop_all()

    def _finish(self) -> None:
        try:
            self._dataset.close()
            pyramid = with_overviews(
                self._plain, self.layer.overviews, MAP_NODATA, WRITE_BLOCK_PX, INTERIM, self._folder
            )
            with rasterio.Env(GDAL_TIFF_OVR_BLOCKSIZE=_overview_block_px(self._shape)):
                own = "AUTO" if pyramid.sums else "NONE"  # those that are there, or GDAL would make some
                copy_raster(pyramid.path, self._part, driver="COG", overviews=own, **self._cog_options())
        except GDAL_FAULTS as error:
            self._explain(error)
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
            "predictor": "YES" if self.layer.overviews == "average" else "NO",  # codes and counts have no gradient
            "bigtiff": "IF_SAFER",
            "sparse_ok": "YES",  # blocks of nodata are left out
            "num_threads": str(self._threads),
        }

    def _check(self, sums: tuple[int, ...]) -> None:
        """Compare map and overviews, read back, with what their values have to sum to.

        Raises:
            DiskFullError: they differ, and there is no space left.
            StoreError: they differ.
        """
        try:
            found = tuple(_sum_of(self._part, level) for level in range(-1, len(sums) - 1))
        except RasterioError as error:
            self._explain(error)
            raise StoreError(f"{self.target}: can't be read back after writing ({error}); run again") from None
        if found != sums:
            self._explain(None)
            raise StoreError(f"{self.target}: holds other values than were written (sums {found}, {sums}); run again")

    def _explain(self, error: Exception | None) -> None:
        """Raise DiskFullError if that is why writing failed: GDAL's own text often doesn't say so."""
        free = shutil.disk_usage(self.target.parent).free
        written = sum(file.stat().st_size for file in self._folder.glob("*"))  # none if it could not be made
        # GDAL has removed what it couldn't finish: about as much as lies here, in another compression.
        if free < max(2 * written, WRITE_BLOCK_PX * WRITE_BLOCK_PX):
            raise DiskFullError(
                f"{self.target}: no space left ({free / 1e6:.1f} MB free, up to {2 * written / 1e6:.1f} MB more "
                "needed): free some, run again"
            ) from error


def _sum_of(path: Path, level: int) -> int:
    """Return what the values of a file sum to, or those of one of its overviews (0 is the largest, -1 the file)."""
    with open_raster(path, **({"overview_level": level} if level >= 0 else {})) as dataset:
        total: int = MAP_NODATA * dataset.height * dataset.width
        for tile in tiles(dataset.shape, READ_BACK_PX):
            if is_stored(dataset, tile.window):
                values = dataset.read(1, window=area_of(tile.window))
                total += int(values.sum(dtype=np.int64)) - MAP_NODATA * values.size
    return total


def _block_px(shape: tuple[int, int]) -> int:
    """Return the side of the map's blocks: 512 wherever that passes validation.

    rio-cogeo takes a raster for one in strips if it is exactly as wide as its blocks and larger than 512.
    """
    return 384 if _looks_striped(shape, WRITE_BLOCK_PX) else WRITE_BLOCK_PX


def _overview_block_px(shape: tuple[int, int]) -> int:
    """Return the side of the overviews' blocks, a power of 2 for GDAL: 512 wherever that passes validation."""
    sides = (WRITE_BLOCK_PX, 1024, 256, 2048, 128, 4096, 64)
    return next((side for side in sides if not any(_looks_striped(o, side) for o in _overviews(shape))), WRITE_BLOCK_PX)


def _overviews(shape: tuple[int, int]) -> Iterator[tuple[int, int]]:
    while max(shape) > WRITE_BLOCK_PX:
        shape = ceil_div(shape[0], 2), ceil_div(shape[1], 2)
        yield shape


def _looks_striped(shape: tuple[int, int], block_px: int) -> bool:
    return shape[1] == block_px and max(shape) > WRITE_BLOCK_PX
