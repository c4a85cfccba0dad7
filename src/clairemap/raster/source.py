"""Reading of windows of a raster file with their valid pixels."""

import logging
import shlex
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import rasterio.windows
from numpy.typing import DTypeLike, NDArray
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError, RasterioIOError

from clairemap.cell_text import SEPARATOR
from clairemap.errors import BandCountError, UnreadableFileError, ValuesError
from clairemap.grid.window import Window
from clairemap.raster.census import Census
from clairemap.raster.georeference import geobox_of
from clairemap.raster.opening import is_stored, open_raster
from clairemap.raster.remote_files import PAUSES_S, may_pass, read_error
from clairemap.raster.remote_names import address
from clairemap.raster.unsupported import check_exists, no_bands_error, open_error, quoted_reason, written_name
from clairemap.raster.values import AS_STORED, Reading, Scaling, can_be_measured, is_nodata
from clairemap.raster.virtual_raster import Raster, VirtualRaster

log = logging.getLogger(__name__)


def rasterio_window(window: Window) -> rasterio.windows.Window:
    """Return a window as rasterio's type."""
    return rasterio.windows.Window(window.x0, window.y0, window.width, window.height)


@dataclass(frozen=True)
class Block:
    """Values (band, y, x) of a window, in the source's number type, and its valid pixels (y, x)."""

    values: NDArray[Any]
    valid: NDArray[np.bool_]

    @classmethod
    def empty(cls, bands: int, window: Window, dtype: DTypeLike) -> "Block":
        """Return a block of zeros without valid pixels."""
        return cls(np.zeros((bands, *window.shape), dtype), np.zeros(window.shape, np.bool_))


class RasterSource:
    """A raster file opened for reading by windows; use as a context manager.

    A pixel is valid if all bands read there are finite, none is nodata (by the band's tag or `Reading.nodata`), and
    neither the file's mask nor an alpha band is 0. Alpha bands that are read as data do not mask.

    0 and the maximum of an unsigned type can also be measured (black, saturated). As nodata tags they apply only to
    pixels where all bands read have such a value, and not at all if the file has a mask, as in GDAL.

    Values are stored numbers, or stored number times scale plus offset; nodata refers to stored numbers.
    """

    def __init__(self, raster: Raster, reading: Reading = AS_STORED, census: Census | None = None) -> None:
        """Open the file.

        Args:
            raster: any file that GDAL reads, with or without a CRS; or a virtual raster.
            reading: interpretation of the stored numbers.
            census: counts the valid values that are read.

        Raises:
            MissingFileError: the file, or a file that it refers to, does not exist.
            UnreadableFileError: GDAL cannot open it, or it has no bands.
            GridError: the georeferencing is not supported (see `georeference.geobox_of`).
            ValuesError: the values are complex, or the scale is 0 or not finite.
        """
        self.path = raster.path if isinstance(raster, VirtualRaster) else raster
        self.reading = reading
        self.census = census
        self._has_named_bands = isinstance(raster, VirtualRaster)
        self._renewed = raster.renewed if isinstance(raster, VirtualRaster) else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            self._dataset = _opened_virtual(raster) if isinstance(raster, VirtualRaster) else _opened(raster)
            self.geobox = geobox_of(self._dataset, self.path)
        self._check_not_complex()
        self.scaling = self._scaling()

    def _check_not_complex(self) -> None:
        if found := [name for name in self._dataset.dtypes if name.startswith("complex")]:
            raise ValuesError(
                f"{self.path}: contains complex numbers ({found[0]}), probably single-look complex SAR; compute "
                "intensity |z|^2, if possible multilooked and terrain-corrected (SNAP), or for each band "
                f'gdal_calc.py -A {shlex.quote(str(self.path))} --calc="abs(A)**2" --type=Float32 '
                "--outfile=intensity.tif, "
                "and set sensors.sar.scale: linear_power"
            )

    def _scaling(self) -> Scaling:
        scaling = Scaling(self._dataset.scales, self._dataset.offsets)
        usable = all(scaling.scales) and np.isfinite([scaling.scales, scaling.offsets]).all()
        if self.reading.apply_scale and not usable:
            raise ValuesError(
                f"{self.path}: scales {list(scaling.scales)} must be finite and not 0, offsets {list(scaling.offsets)} "
                "finite; correct them (gdal_edit.py -scale 1 -offset 0), or set sensors.*.apply_scale: false"
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
        """Number type of the values: float32 if they are scaled, else `stored_dtype`."""
        return np.dtype(np.float32) if self.is_scaled else self.stored_dtype

    @property
    def stored_dtype(self) -> np.dtype[Any]:
        """Common number type of all bands of the file."""
        return np.result_type(*self._dataset.dtypes)

    @property
    def is_scaled(self) -> bool:
        """Whether the file's scale or offset changes the stored numbers."""
        return self.reading.apply_scale and not self.scaling.is_trivial

    @property
    def nodata_tags(self) -> tuple[float | None, ...]:
        """The nodata tag of each band of the file."""
        return tuple(self._dataset.nodatavals)

    @property
    def band_descriptions(self) -> tuple[str, ...]:
        """The description of each band of the file; empty texts where it has none, and for a virtual raster."""
        if self._has_named_bands:
            return ("",) * int(self._dataset.count)
        return tuple(str(text or "") for text in self._dataset.descriptions)

    @property
    def data_bands(self) -> tuple[int, ...]:
        """1-based numbers of the bands that are not alpha."""
        kinds = enumerate(self._dataset.colorinterp, start=1)
        return tuple(index for index, kind in kinds if kind is not ColorInterp.alpha)

    def band_indexes(
        self, names: tuple[str, ...], indexes: tuple[int, ...] | None, sensor: str = "*"
    ) -> tuple[int, ...]:
        """Return the 1-based numbers of the named bands: `indexes`, or by default all bands of the file.

        `sensor` names the section of the settings in messages. A virtual raster has the named bands in their order.

        Raises:
            BandCountError: the file lacks a band, or `indexes` is None and the number of bands and names differ.
        """
        count = self._dataset.count
        if self._has_named_bands:
            indexes = None
        found = "1 band" if count == 1 else f"{count} bands"
        if indexes is None and count != len(names):
            select = f", or select bands with sensors.{sensor}.indexes" if count > len(names) else ""
            raise BandCountError(
                f"{self.path}: has {found}, but sensors.{sensor}.bands lists {len(names)} ({', '.join(names)}): "
                f"correct sensors.{sensor}.bands or the file{select}"
            )
        chosen = indexes or tuple(range(1, count + 1))
        if max(chosen) > count:
            raise BandCountError(
                f"{self.path}: has {found}, but sensors.{sensor}.indexes selects band {max(chosen)}; correct it"
            )
        return chosen

    def read(self, window: Window, indexes: tuple[int, ...]) -> Block:
        """Return bands of a window; pixels outside the file are 0 and invalid.

        Raises:
            UnreadableFileError: the file is truncated or damaged in the window.
            RemoteFileError: a file on a server cannot be read there, also after retries.
        """
        values = np.zeros((len(indexes), *window.shape), self.dtype)
        valid = np.zeros(window.shape, np.bool_)
        inside = window.clipped(self.shape)
        if not inside.is_empty:
            target = inside.relative_to(window).slices
            values[:, *target], valid[target] = self._read_inside(inside, indexes)
        return Block(values, valid)

    def is_stored(self, window: Window) -> bool:
        """Return whether the file contains any block of a window inside it; see `opening.is_stored`."""
        return is_stored(self._dataset, window)

    def _read_inside(self, window: Window, indexes: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        stored, valid, has_mask = self._stored(window, indexes)
        valid &= ~is_nodata(stored, self._tags(indexes, has_mask), self.reading)
        values = self.scaling.values(stored, indexes) if self.is_scaled else stored
        if np.issubdtype(values.dtype, np.floating):
            finite = np.isfinite(values)
            valid &= finite.all(axis=0)
            values = np.where(finite, values, values.dtype.type(0))
        if self.census is not None:
            self.census.add(values, valid, indexes)
        return values, valid

    def _stored(self, window: Window, indexes: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[np.bool_], bool]:
        """Return stored numbers, pixels that no mask excludes, and whether there is a mask. Remote files: with retries.

        What cannot be read is an error, never nodata.
        """
        area = rasterio_window(window)
        for pause_s in (*(PAUSES_S if self._renewed else ()), None):
            try:
                return self._dataset.read(list(indexes), window=area), *self._unmasked(area, indexes)
            except RasterioError as error:
                if self._renewed is None:
                    raise UnreadableFileError(
                        f"{self.path}: truncated or damaged at {window.text} "
                        f"({quoted_reason(error.__cause__ or error)}); download it again"
                    ) from None
                fault = read_error(f"{self._addresses()} at {window.text}", error)
                self._open_again(self._renewed)
                if pause_s is None or not may_pass(error):
                    raise fault from None
                log.warning("%s (reading again in %g s)", fault, pause_s)
            time.sleep(pause_s)
        raise AssertionError("the last attempt returns or raises")

    def _open_again(self, renewed: Callable[[], str]) -> None:
        """Open remote files anew: what failed once gives zeros without an error from then on (`cached`)."""
        self._dataset.close()
        self._dataset = open_raster(renewed())

    def _addresses(self) -> str:
        return SEPARATOR.join(address(written_name(Path(name))) for name in str(self.path).split(SEPARATOR))

    def _unmasked(self, area: rasterio.windows.Window, indexes: tuple[int, ...]) -> tuple[NDArray[np.bool_], bool]:
        """Return the pixels that neither masks nor alpha bands exclude, and whether there is a mask."""
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


def _opened(path: Path) -> Any:  # noqa: ANN401 - rasterio has no types
    check_exists(path)
    try:
        dataset = open_raster(path)
    except RasterioIOError as error:
        raise open_error(path, error) from None
    if dataset.count == 0:
        with dataset:
            raise no_bands_error(path, dataset.subdatasets)
    return dataset


def _opened_virtual(raster: VirtualRaster) -> Any:  # noqa: ANN401 - rasterio has no types
    try:
        return open_raster(raster.xml)
    except RasterioIOError as error:
        raise UnreadableFileError(f"{raster.path}: cannot be opened ({quoted_reason(error)})") from None


def _has_mask(flags: list[MaskFlags]) -> bool:
    """Return whether a band has a mask other than an alpha band or a nodata tag."""
    if MaskFlags.all_valid in flags or MaskFlags.alpha in flags:
        return False
    return MaskFlags.per_dataset in flags or MaskFlags.nodata not in flags
