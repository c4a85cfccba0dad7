"""Reading windows of a raster file together with where they are valid."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import rasterio
import rasterio.windows
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.errors import NotGeoreferencedWarning, RasterioError, RasterioIOError

from clairemap.errors import BandCountError, GridError, UnreadableFileError
from clairemap.grid.window import Window
from clairemap.raster.unsupported import check_there, not_opened, without_bands


def bounded_cache(megabytes: int = 64) -> rasterio.Env:
    """Return a context in which GDAL keeps no more of the files' blocks; its own limit is a share of all memory."""
    return rasterio.Env(GDAL_CACHEMAX=megabytes * 2**20)  # rasterio passes numbers on in bytes


def area_of(window: Window) -> rasterio.windows.Window:
    """Return a window as rasterio's reading and writing take it: columns first."""
    return rasterio.windows.Window(window.x0, window.y0, window.width, window.height)


@dataclass(frozen=True)
class Block:
    """A window's values (band, y, x) in the file's number type and where they are valid (y, x)."""

    values: NDArray[Any]
    valid: NDArray[np.bool_]


class RasterSource:
    """A raster file opened for reading by windows; use as a context manager.

    A pixel is valid if the file's mask, alpha band or nodata tag says so for at least one of the bands that are read
    (as GDAL defines it, so that a legal 0 in one band doesn't spoil the others), not all of these bands hold the
    caller's nodata, and all of them are finite. An alpha band that is itself read as data masks nothing.
    """

    def __init__(self, path: Path, nodata: float | None = None) -> None:
        """Open the file.

        Args:
            path: any raster that GDAL reads, with or without a CRS.
            nodata: a further value that means nodata, besides what the file says.

        Raises:
            MissingFileError: there is no such file, or GDAL can't open it for want of one that it refers to.
            UnreadableFileError: GDAL can't open it, or it has no bands of its own.
            GridError: it is georeferenced by ground control points only.
        """
        check_there(path)
        self.path = path
        self.nodata = nodata
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            try:
                self._dataset = rasterio.open(path)
            except RasterioIOError as error:
                raise not_opened(path, error) from None
            if self._dataset.count == 0:
                with self._dataset as dataset:
                    raise without_bands(path, dataset.subdatasets)
            self.geobox = self._geobox()

    def _geobox(self) -> GeoBox:
        dataset = self._dataset
        if dataset.crs is None and dataset.gcps[0]:
            raise GridError(
                f"{self.path}: georeferenced by {len(dataset.gcps[0])} ground control points only; "
                "terrain-correct it first (gdalwarp, SNAP or the like)"
            )
        return GeoBox((dataset.height, dataset.width), dataset.transform, dataset.crs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._dataset.close()

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self._dataset.height, self._dataset.width

    @property
    def dtype(self) -> np.dtype[Any]:
        """Number type that holds all bands."""
        return np.result_type(*self._dataset.dtypes)

    def band_indexes(self, names: tuple[str, ...], indexes: tuple[int, ...] | None) -> tuple[int, ...]:
        """Return which bands of the file, counted from 1, carry the names.

        Raises:
            BandCountError: without `indexes` the file must have exactly as many bands as there are names.
        """
        count = self._dataset.count
        if indexes is None and count != len(names):
            raise BandCountError(
                f"{self.path}: has {count} band(s), the settings name {len(names)} {list(names)}; "
                "correct sensors.*.bands, or say with sensors.*.indexes which bands to take"
            )
        chosen = indexes or tuple(range(1, count + 1))
        if max(chosen) > count:
            raise BandCountError(f"{self.path}: has {count} band(s), the settings ask for band {max(chosen)}")
        return chosen

    def read(self, window: Window, indexes: tuple[int, ...]) -> Block:
        """Return the bands of a window; outside the file values are 0 and not valid.

        Raises:
            UnreadableFileError: the file is truncated or damaged there.
        """
        values = np.zeros((len(indexes), *window.shape), self.dtype)
        valid = np.zeros(window.shape, np.bool_)
        inside = window.clipped(self.shape)
        if not inside.is_empty:
            target = inside.relative_to(window).slices
            values[:, *target], valid[target] = self._read_inside(inside, indexes)
        return Block(values, valid)

    def _read_inside(self, window: Window, indexes: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        area = area_of(window)
        try:
            values = self._dataset.read(list(indexes), window=area)
            valid = (self._dataset.read_masks(list(indexes), window=area) > 0).any(axis=0)
        except RasterioError as error:
            raise UnreadableFileError(
                f"{self.path}: can't be read at rows {window.y0}-{window.y1}, columns {window.x0}-{window.x1} "
                f"({error.__cause__ or error}); the file is truncated or damaged, fetch it again"
            ) from None
        if self.nodata is not None:
            valid &= ~np.all(values == self.nodata, axis=0)
        if np.issubdtype(values.dtype, np.floating):
            finite = np.isfinite(values)
            valid &= finite.all(axis=0)
            values = np.where(finite, values, values.dtype.type(0))
        return values, valid
