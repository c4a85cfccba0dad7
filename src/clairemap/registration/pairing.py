"""A scene's rasters, on any grids, read as one pair on one grid."""

import logging
import shlex
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray
from odc.geo.geobox import GeoBox

from clairemap.artefacts.registration import Registration
from clairemap.artefacts.scene_sources import MaskCoding
from clairemap.classes import IGNORE_INDEX, CodeTable, SourceLegend, code_counts, source_key
from clairemap.errors import GridError, LabelError
from clairemap.grid.window import Window
from clairemap.raster.code_names import codes_of_names
from clairemap.raster.pair_block import PairBlock
from clairemap.raster.remote_names import address
from clairemap.raster.source import Block, RasterSource
from clairemap.raster.unsupported import written_name
from clairemap.raster.virtual_raster import Raster, VirtualRaster
from clairemap.registration.clouds import CloudMask, cloud_source
from clairemap.registration.model import NO_DISPLACEMENT, Displacement
from clairemap.registration.overlap import mapping_between
from clairemap.registration.plausible import check_optical, check_sar
from clairemap.registration.record import displacement_of
from clairemap.registration.sources import codes_source, optical_source, sar_source
from clairemap.registration.warp import ClassesOnGrid, SarOnGrid
from clairemap.settings import OpticalBands, Sensor, TiledSar, TiledSensors
from clairemap.text import shortened
from clairemap.validity import Validity

log = logging.getLogger(__name__)

NAMES_SHOWN = 12
"""Maximum number of names that a warning lists."""

ROWS_AT_ONCE = 512
"""Rows of a label raster read at a time to list its codes."""

ABSENT_OPTICAL_DTYPE = np.dtype(np.uint8)
"""Number type of the zeros used as optical bands in scenes without optical."""


@dataclass(frozen=True)
class SceneFiles:
    """Rasters of a scene by role; at least one of optical and SAR is given.

    `polygons` is a raster of the map's codes from burn_labels, in place of `label`.
    """

    optical: Raster | None = None
    sar: Raster | None = None
    label: Raster | None = None
    cloud: Raster | None = None
    polygons: Path | None = None

    @property
    def named(self) -> dict[str, str]:
        """File names by role, without missing roles."""
        label = self.label or self.polygons
        rasters: dict[str, Raster | None] = {
            "optical": self.optical,
            "sar": self.sar,
            "label": label,
            "cloud": self.cloud,
        }
        return {role: raster.name for role, raster in rasters.items() if raster is not None}


class ScenePair:
    """Rasters of a scene as one pair on the optical grid (the SAR grid without optical); a context manager."""

    def __init__(
        self,
        files: SceneFiles,
        sensors: TiledSensors,
        legend: SourceLegend,
        registration: Registration,
        ignored_names: Collection[str] = (),
    ) -> None:
        """Open the rasters; `ignored_names` in the label's tables mean "not labelled".

        Raises:
            MissingFileError, UnreadableFileError: a file does not exist or cannot be read.
            BandCountError: a file's bands do not match the settings.
            GridError: only some of the rasters have a CRS, or there is neither optical nor SAR.
            NoOverlapError: a raster does not overlap the grid.
            ValuesError: a raster's number type or tags do not fit its role.
            LabelError: the label has none of a class's names, or a code of several classes.
        """
        self.files = files
        self._sensors = sensors
        self._legend = legend
        self._codes = _code_table(files, legend, ignored_names)
        self._label_name = _written(files.label or files.polygons)
        self._rejected = registration.verdict == "rejected"
        with ExitStack() as opening:
            self._open(opening, displacement_of(registration))
            self._opened = opening.pop_all()

    def _open(self, opening: ExitStack, displacement: Displacement) -> None:
        def source(path: Raster | None, opened: Callable[[Raster], RasterSource]) -> RasterSource | None:
            return None if path is None else opening.enter_context(opened(path))

        sensors = self._sensors
        self._optical = source(self.files.optical, lambda path: optical_source(path, sensors.optical))
        sar = source(self.files.sar, lambda path: sar_source(path, sensors.sar))
        grid = self._optical or sar
        if grid is None:
            raise GridError("the scene has neither an optical nor a SAR raster; name one in the sample sheet")
        self.geobox: GeoBox = grid.geobox
        self._optical_bands = () if self._optical is None else _bands(self._optical, sensors.optical, "optical")
        self._sar = None if sar is None else _sar_on(grid, sar, sensors, displacement)
        label = source(
            self.files.label or self.files.polygons, lambda path: codes_source(path, "label", legend=self._legend)
        )
        if label is not None:
            _check_label_nodata(label, self._codes, self._legend, self._label_name)
        self._label = _classes_on(grid, label)
        coding, scl_cloud = _coding(self.files.cloud, sensors), sensors.optical.cloud_classes
        cloud = _classes_on(grid, source(self.files.cloud, lambda path: cloud_source(path, coding, scl_cloud)))
        self._cloud = None if cloud is None else CloudMask(cloud, coding, scl_cloud)

    def __enter__(self) -> Self:
        """Return the open pair."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all files."""
        self._opened.close()

    @property
    def optical_dtype(self) -> DTypeLike:
        """Number type of the optical bands."""
        return ABSENT_OPTICAL_DTYPE if self._optical is None else self._optical.dtype

    def read(self, window: Window) -> PairBlock:
        """Return a window of the pair. Memory: the window's arrays, and working memory for warping.

        Raises:
            UnreadableFileError: a file is truncated or damaged there.
            LabelError: a label code is not in the legend.
        """
        optical, sar = self._read_optical(window), self._read_sar(window)
        label = self._read_label(window)
        validity = np.zeros(window.shape, np.uint8)
        validity[~optical.valid] |= np.uint8(Validity.OPTICAL_NODATA)
        validity[~sar.valid] |= np.uint8(Validity.SAR_NODATA)
        cloudy, known = self._read_cloud(window)
        validity[cloudy] |= np.uint8(Validity.CLOUD)
        validity[optical.valid & ~known] |= np.uint8(Validity.CLOUD_UNKNOWN)
        validity[label == IGNORE_INDEX] |= np.uint8(Validity.NO_LABEL)
        if self._rejected:
            validity[sar.valid] |= np.uint8(Validity.LOW_REGISTRATION)
        backscatter = np.where(sar.valid, sar.values, np.float32(np.nan))
        return PairBlock(optical=optical.values, sar=backscatter, label=label, validity=validity)

    def _read_optical(self, window: Window) -> Block:
        if self._optical is None:
            return Block.empty(len(self._sensors.optical.names), window, ABSENT_OPTICAL_DTYPE)
        return self._optical.read(window, self._optical_bands)

    def _read_sar(self, window: Window) -> Block:
        if self._sar is None:
            return Block.empty(len(self._sensors.sar.names), window, np.dtype(np.float32))
        return self._sar.read(window)

    def _read_label(self, window: Window) -> NDArray[np.uint8]:
        indices = np.full(window.shape, IGNORE_INDEX, np.uint8)
        if self._label is not None:
            block = self._label.read(window)
            codes = _whole_numbers(block.values[0][block.valid], self._label_name)
            indices[block.valid] = self._codes.indices(codes, self._label_name, window.text, self._codes_of_label)
        return indices

    def _codes_of_label(self) -> dict[int, int]:
        """Return the pixels of all label codes on the scene's grid, in bands of rows."""
        height, width = self.geobox.shape
        found: Counter[int] = Counter()
        for y0 in range(0, height, ROWS_AT_ONCE):
            if self._label is not None:
                block = self._label.read(Window(y0, 0, min(ROWS_AT_ONCE, height - y0), width))
                found.update(code_counts(_whole_numbers(block.values[0][block.valid], self._label_name)))
        return found

    def _read_cloud(self, window: Window) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        if self._cloud is None:
            return np.zeros(window.shape, np.bool_), np.zeros(window.shape, np.bool_)
        return self._cloud.read(window)

    def check_values(self) -> None:
        """Check all values read so far against the settings; call it after the whole scene is read.

        Raises:
            ValuesError: untagged nodata, SAR on another scale, or wrong cloud mask codes.
        """
        if self._optical is not None:
            check_optical(self._optical)
        if self._sar is not None:
            check_sar(self._sar.source, self._sensors.sar)
        if self._cloud is not None:
            self._cloud.check()


def _code_table(files: SceneFiles, legend: SourceLegend, ignored_names: Collection[str]) -> CodeTable:
    """Return the class of each code in the scene's label; the label's tables are read only if names are used."""
    if files.label is None:
        return legend.as_mapped.code_table
    wanted = (*legend.source_names, *ignored_names)
    names = codes_of_names(files.label) if wanted else {}
    table = legend.code_table_of(_written(files.label), names, ignored_names)
    if absent := [name for name in wanted if source_key(name) not in names]:
        log.warning("%s: its tables of names do not contain %s", _written(files.label), shortened(absent, NAMES_SHOWN))
    return table


def _written(label: Raster | None) -> str:
    """Return the cell of the labels for messages, without signatures."""
    return address(written_name(label.path)) if isinstance(label, VirtualRaster) else str(label)


def _check_label_nodata(label: RasterSource, codes: CodeTable, legend: SourceLegend, name: str) -> None:
    """Check that the nodata tag of a label raster is not the code of a class, whose pixels would have no label.

    Raises:
        LabelError: it is.
    """
    tag = label.nodata_tags[label.data_bands[0] - 1]
    index = next((index for code, index in codes.index_of_code.items() if code == tag), IGNORE_INDEX)
    if index != IGNORE_INDEX:
        raise LabelError(
            f"{name}: {tag:g} is a code of the class {legend.classes[index].name!r} in legend.classes, but also the "
            "file's nodata tag; if these pixels are of the class, remove the tag: gdal_edit.py -unsetnodata "
            f"{shlex.quote(name)}; if they have no label, give them another number, or no class this code"
        )


def _coding(cloud: Raster | None, sensors: TiledSensors) -> MaskCoding:
    """Return the coding of a cloud mask: that of its product, otherwise of the settings."""
    of_product = cloud.coding if isinstance(cloud, VirtualRaster) else None
    return of_product or sensors.optical.cloud_mask


def _bands(source: RasterSource, settings: OpticalBands | TiledSar, sensor: Sensor) -> tuple[int, ...]:
    return source.band_indexes(settings.names, settings.indexes, sensor)


def _sar_on(grid: RasterSource, sar: RasterSource, sensors: TiledSensors, displacement: Displacement) -> SarOnGrid:
    if grid is sar:
        displacement = NO_DISPLACEMENT
    return SarOnGrid(sar, _bands(sar, sensors.sar, "sar"), sensors.sar, mapping_between(grid, sar, displacement))


def _classes_on(grid: RasterSource, source: RasterSource | None) -> ClassesOnGrid | None:
    if source is None:
        return None
    return ClassesOnGrid(source, mapping_between(grid, source), source.data_bands[0])


def _whole_numbers(codes: NDArray[Any], name: str) -> NDArray[np.integer[Any]]:
    if np.issubdtype(codes.dtype, np.integer):
        return codes
    with np.errstate(invalid="ignore"):  # numbers beyond int64 are reported below
        whole = codes.astype(np.int64)
    if not np.array_equal(whole, codes):
        found = codes[whole != codes][0]
        raise LabelError(
            f"{name}: labels must be whole numbers, found {found:g}; use class codes, or tag the value as nodata: "
            f"gdal_edit.py -a_nodata {found!s} {shlex.quote(name)}"
        )
    return whole
