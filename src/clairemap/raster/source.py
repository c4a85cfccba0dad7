"""Reading windows of a raster file together with where they are valid."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import rasterio.windows
from numpy.typing import DTypeLike, NDArray
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError, RasterioIOError

from clairemap.errors import BandCountError, UnreadableFileError, ValuesError
from clairemap.grid.window import Window
from clairemap.raster.census import Census
from clairemap.raster.georeference import geobox_of
from clairemap.raster.opening import is_stored, open_raster
from clairemap.raster.unsupported import check_there, not_opened, without_bands
from clairemap.raster.values import AS_STORED, Reading, Scaling, can_be_measured, is_nodata


def area_of(window: Window) -> rasterio.windows.Window:
    """Return a window as rasterio's reading and writing take it: columns first."""
    return rasterio.windows.Window(window.x0, window.y0, window.width, window.height)


@dataclass(frozen=True)
class Block:
    """A window's values (band, y, x) in the source's number type and where they are valid (y, x)."""

    values: NDArray[Any]
    valid: NDArray[np.bool_]

    @classmethod
    def empty(cls, bands: int, window: Window, dtype: DTypeLike) -> "Block":
        """Return a block of zeros, none of them valid."""
        return cls(np.zeros((bands, *window.shape), dtype), np.zeros(window.shape, np.bool_))


class RasterSource:
    """A raster file opened for reading by windows; use as a context manager.

    A pixel is valid if all bands that are read are: finite, not nodata by the band's tag or the caller's value, and
    not masked by the file's mask or by an alpha band (0) anywhere in the file. An alpha band that is itself read as
    data masks nothing. A nodata value that can be measured, 0 or the top of an unsigned type, means nodata only where
    all bands that are read hold it, so that black or saturation in one band doesn't spoil the others; as such a value
    is data where the file has a mask besides, as in GDAL.

    Values are the stored numbers, or these times the file's scale plus its offset; nodata is a stored number.
    """

    def __init__(self, path: Path, reading: Reading = AS_STORED, census: Census | None = None) -> None:
        """Open the file.

        Args:
            path: any raster that GDAL reads, with or without a CRS.
            reading: how its numbers are to be taken.
            census: counts the valid values that are read.

        Raises:
            MissingFileError: there is no such file, or GDAL can't open it for want of one that it refers to.
            UnreadableFileError: GDAL can't open it, or it has no bands of its own.
            GridError: its georeferencing says no place on the Earth (see `georeference.geobox_of`).
            ValuesError: it holds complex numbers, or its scale is 0 or not a number.
        """
        check_there(path)
        self.path = path
        self.reading = reading
        self.census = census
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            try:
                self._dataset = open_raster(path)
            except RasterioIOError as error:
                raise not_opened(path, error) from None
            if self._dataset.count == 0:
                with self._dataset as dataset:
                    raise without_bands(path, dataset.subdatasets)
            self.geobox = geobox_of(self._dataset, path)
        self._check_not_complex()
        self.scaling = self._scaling()

    def _check_not_complex(self) -> None:
        if found := [name for name in self._dataset.dtypes if name.startswith("complex")]:
            raise ValuesError(
                f"{self.path}: holds complex numbers ({found[0]}), as single-look complex SAR has them; compute "
                "intensity first, |z|^2, best multilooked and terrain-corrected (SNAP or the like), in short "
                f'gdal_calc.py -A {self.path.name} --calc="abs(A)**2" --type=Float32 --outfile=intensity.tif for each '
                "band, and set sensors.sar.scale: linear_power"
            )

    def _scaling(self) -> Scaling:
        scaling = Scaling(self._dataset.scales, self._dataset.offsets)
        usable = all(scaling.scales) and np.isfinite([scaling.scales, scaling.offsets]).all()
        if self.reading.apply_scale and not usable:
            raise ValuesError(
                f"{self.path}: its tags are scales {list(scaling.scales)} and offsets {list(scaling.offsets)}, which "
                "leave nothing of the values; correct them (gdal_edit.py -scale 1 -offset 0), or set "
                "sensors.*.apply_scale: false"
            )
        return scaling

    def __enter__(self) -> Self:
        """Return the open source."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._dataset.close()

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self._dataset.height, self._dataset.width

    @property
    def dtype(self) -> np.dtype[Any]:
        """Number type of the values: one that holds all bands, float32 if they are scaled."""
        return np.dtype(np.float32) if self.is_scaled else self.stored_dtype

    @property
    def stored_dtype(self) -> np.dtype[Any]:
        """Number type that holds all bands as the file has them."""
        return np.result_type(*self._dataset.dtypes)

    @property
    def is_scaled(self) -> bool:
        """Whether the values differ from the stored numbers by the file's scale or offset."""
        return self.reading.apply_scale and not self.scaling.is_trivial

    @property
    def nodata_tags(self) -> tuple[float | None, ...]:
        """The nodata tag of each band of the file."""
        return tuple(self._dataset.nodatavals)

    @property
    def data_bands(self) -> tuple[int, ...]:
        """The bands of the file, counted from 1, that are not alpha."""
        kinds = enumerate(self._dataset.colorinterp, start=1)
        return tuple(index for index, kind in kinds if kind is not ColorInterp.alpha)

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

    def is_stored(self, window: Window) -> bool:
        """Return whether the file holds any block of a window inside it; if not, all of it is nodata."""
        return is_stored(self._dataset, window)

    def _read_inside(self, window: Window, indexes: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        area = area_of(window)
        try:
            stored = self._dataset.read(list(indexes), window=area)
            valid, has_mask = self._unmasked(area, indexes)
        except RasterioError as error:
            raise UnreadableFileError(
                f"{self.path}: can't be read at rows {window.y0}-{window.y1}, columns {window.x0}-{window.x1} "
                f"({error.__cause__ or error}); the file is truncated or damaged, fetch it again"
            ) from None
        valid &= ~is_nodata(stored, self._tags(indexes, has_mask), self.reading)
        values = self.scaling.values(stored, indexes) if self.is_scaled else stored
        if np.issubdtype(values.dtype, np.floating):
            finite = np.isfinite(values)
            valid &= finite.all(axis=0)
            values = np.where(finite, values, values.dtype.type(0))
        if self.census is not None:
            self.census.add(values, valid, indexes)
        return values, valid

    def _unmasked(self, area: rasterio.windows.Window, indexes: tuple[int, ...]) -> tuple[NDArray[np.bool_], bool]:
        """Return where neither masks nor alpha bands say that there is nothing, and whether there is a mask."""
        valid = np.ones((area.height, area.width), np.bool_)
        flags = self._dataset.mask_flag_enums
        masked = [index for index in indexes if _has_mask(flags[index - 1])]
        for index in masked[:1] if masked and MaskFlags.per_dataset in flags[masked[0] - 1] else masked:
            valid &= self._dataset.read_masks(index, window=area) > 0
        alphas = set(range(1, self._dataset.count + 1)) - set(self.data_bands) - set(indexes)
        for index in sorted(alphas):
            valid &= self._dataset.read(index, window=area) > 0
        return valid, bool(masked)

    def _tags(self, indexes: tuple[int, ...], has_mask: bool) -> list[float | None]:
        tags = [self._dataset.nodatavals[index - 1] for index in indexes]
        if not has_mask:
            return tags
        return [None if tag is None or can_be_measured(tag, self.stored_dtype) else tag for tag in tags]


def _has_mask(flags: list[MaskFlags]) -> bool:
    """Return whether a band has a mask of its own or the file's, apart from an alpha band and a nodata tag."""
    if MaskFlags.all_valid in flags or MaskFlags.alpha in flags:
        return False
    return MaskFlags.per_dataset in flags or MaskFlags.nodata not in flags
