"""What the file of a band is: grid, number type, tags; and a sample of its numbers. Opens each file once."""

import itertools
import math
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.crs import CRS
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError, RasterioIOError
from rasterio.windows import Window

from clairemap.artefacts.scene_sources import PixelGrid, RemoteState
from clairemap.cell_text import is_gdal_name
from clairemap.errors import BandCountError, MissingFileError, UnreadableFileError, ValuesError
from clairemap.raster.georeference import geobox_of
from clairemap.raster.opening import open_raster
from clairemap.raster.remote_files import read_error, state
from clairemap.raster.remote_names import address, cached, is_remote
from clairemap.raster.unsupported import quoted_reason
from clairemap.sources.cells import Cell
from clairemap.sources.product import BandFile, MaskFile

SAMPLE_PX = 256
"""Side of the sample of a band, pixels."""

SPREAD = (1 / 6, 1 / 2, 5 / 6)
SAMPLE_CACHE_MB = 16


@dataclass(frozen=True)
class InspectedFile:
    """Facts of one band of a file; `sample` has downsampled stored numbers of the whole band (y, x)."""

    grid: PixelGrid
    dtype: str
    block: tuple[int, int]
    nodata: float | None
    scale: float
    offset: float
    masked: bool
    sample: NDArray[Any]
    remote: RemoteState | None = None


def inspected(cell: Cell, band: BandFile | MaskFile) -> InspectedFile:
    """Return what the file of a band is. Masks, and remote files without an offset, are not sampled.

    Raises:
        MissingFileError: the file does not exist.
        UnreadableFileError: it is truncated, or GDAL cannot open it.
        BandCountError: it has no band of this number.
        GridError: its georeferencing is not supported.
        ValuesError: codes have a scale or offset.
        RemoteFileError: it is on a server and cannot be read.
    """
    name = cell.located(band.file)
    _check_size(cell, name, band.file, band.size_bytes)
    remote = state(name) if is_remote(name) else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            with open_raster(cached(name, SAMPLE_CACHE_MB)) as file:
                return replace(_facts(cell, band, file), remote=remote)
        except RasterioIOError as error:
            if remote is not None:
                raise read_error(_place(cell, band.file), error) from None
            raise UnreadableFileError(
                f"{cell.text}: {band.file} is truncated or damaged, or not a raster ({quoted_reason(error)}); download "
                "it again"
            ) from None


def _place(cell: Cell, reference: str) -> str:
    """Return cell and file for messages, without signatures."""
    return reference if is_remote(reference) else f"{address(cell.text)}: {reference}"


def _check_size(cell: Cell, name: str, reference: str, size_bytes: int | None) -> None:
    if is_gdal_name(name):
        return
    if not os.path.exists(name):  # noqa: PTH110 - Path.exists raises for names that are too long
        raise MissingFileError(f"{cell.text}: {name} does not exist; correct the sample sheet or provide the file")
    found = os.path.getsize(name)  # noqa: PTH202
    if size_bytes is not None and found != size_bytes:
        raise UnreadableFileError(
            f"{cell.text}: {reference} has {found} bytes, but {size_bytes} by the product's manifest: the download is "
            "incomplete; download the product again"
        )


def _facts(cell: Cell, band: BandFile | MaskFile, file: Any) -> InspectedFile:  # noqa: ANN401
    place = _place(cell, band.file)
    if not 1 <= band.number <= file.count:
        raise BandCountError(f"{place} has {file.count} band(s), not a band {band.number}")
    if isinstance(band, BandFile) and band.count not in (None, file.count):
        raise BandCountError(
            f"{place} has {file.count} band(s), but sensors.{cell.role}.bands lists {band.count}: correct "
            f"sensors.{cell.role}.bands, or select bands with sensors.{cell.role}.indexes"
        )
    if isinstance(band, BandFile) and band.is_only:
        _check_only_band(place, band, file)
    if isinstance(band, MaskFile) and band.coding is None:
        _check_codes(place, cell.role, file)
    index = band.number - 1
    geobox = geobox_of(file, Path(place))
    flags = file.mask_flag_enums[index]
    return InspectedFile(
        grid=PixelGrid(
            crs=None if geobox.crs is None else _crs_text(geobox.crs),
            transform=geobox.transform[:6],
            height=file.height,
            width=file.width,
        ),
        dtype=file.dtypes[index],
        block=file.block_shapes[index],
        nodata=file.nodatavals[index],
        scale=file.scales[index],
        offset=file.offsets[index],
        masked=MaskFlags.all_valid not in flags and MaskFlags.nodata not in flags,
        sample=_sample(place, file, band.number) if _is_sampled(band, file) else np.zeros((0, 0), np.float32),
    )


def _data_bands(file: Any) -> int:  # noqa: ANN401
    """Return the number of bands that are not alpha."""
    return sum(kind is not ColorInterp.alpha for kind in file.colorinterp)


def _check_only_band(place: str, band: BandFile, file: Any) -> None:  # noqa: ANN401
    count = _data_bands(file)
    if count > 1:
        raise BandCountError(
            f"{place} has {count} bands, and nothing states which of them is {band.names[0]}; extract it to a file "
            f"(gdal_translate -b NUMBER ... {band.names[0]}.tif). If the file has all bands of the scene, name only "
            "this file in the cell; files of neighbouring places are scenes of their own, or one virtual raster "
            "(gdalbuildvrt)"
        )


def _check_codes(place: str, role: str, file: Any) -> None:  # noqa: ANN401
    count = _data_bands(file)
    if count != 1:
        raise BandCountError(
            f"{place} has {count} band(s), but a {role} raster must have one, of codes; extract it to a file: "
            f"gdal_translate -b NUMBER ... {role}.tif"
        )
    if (file.scales[0], file.offsets[0]) != (1, 0):
        raise ValuesError(
            f"{place}: the {role} has scale {file.scales[0]:g} and offset {file.offsets[0]:g} as tags, but codes must "
            f"not be scaled; if the stored numbers are the codes, make a file without them: gdal_translate -a_scale 1 "
            f"-a_offset 0 ... {role}.tif"
        )


def _is_sampled(band: BandFile | MaskFile, file: Any) -> bool:  # noqa: ANN401
    if isinstance(band, MaskFile) or not is_remote(file.name):
        return isinstance(band, BandFile)
    return file.offsets[band.number - 1] != 0 or any(one.statement == "add" and one.offset for one in band.evidence)


def _crs_text(crs: CRS) -> str:
    """Return a CRS as its EPSG code if that is exactly the same, otherwise as WKT."""
    code = crs.proj.to_epsg(min_confidence=100)
    return f"EPSG:{code}" if code is not None else crs.to_wkt()


def _sample(place: str, file: Any, number: int) -> NDArray[Any]:  # noqa: ANN401
    """Return a reduced picture of a band; of remote files without overviews some blocks, not to read all of them."""
    factor = max(1.0, max(file.height, file.width) / SAMPLE_PX)
    shape = max(1, round(file.height / factor)), max(1, round(file.width / factor))
    is_whole_remote = is_remote(file.name) and not file.overviews(number)
    try:
        if is_whole_remote and min(shape) > 1:
            return np.concatenate([file.read(number, window=one).ravel() for one in _spread_blocks(file)])
        return np.asarray(file.read(number, out_shape=shape))
    except RasterioError as error:
        if is_remote(file.name):
            raise read_error(place, error) from None
        raise UnreadableFileError(
            f"{place} is truncated or damaged ({quoted_reason(error.__cause__ or error)}); download it again"
        ) from None


def _spread_blocks(file: Any) -> Iterator[Window]:  # noqa: ANN401
    """Yield windows of up to nine blocks, evenly spread over a raster."""
    height, width = file.block_shapes[0]
    rows, columns = (
        sorted({math.floor(size * part) // block * block for part in SPREAD})
        for size, block in ((file.height, height), (file.width, width))
    )
    for y0, x0 in itertools.product(rows, columns):
        yield Window(x0, y0, min(width, file.width - x0), min(height, file.height - y0))
