"""What the file of a band is: grid, number type, tags; and a sample of its numbers. Opens each file once."""

import os
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.crs import CRS
from rasterio.enums import MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError, RasterioIOError

from clairemap.artefacts.scene_sources import PixelGrid
from clairemap.errors import BandCountError, MissingFileError, UnreadableFileError
from clairemap.raster.georeference import geobox_of
from clairemap.raster.opening import open_raster
from clairemap.raster.unsupported import quoted_reason
from clairemap.sources.cells import Cell

SAMPLE_PX = 256
"""Side of the sample of a band, pixels."""


@dataclass(frozen=True)
class InspectedFile:
    """Facts of one band of a file; `sample` has stored numbers of a reduced picture of the whole band (y, x)."""

    grid: PixelGrid
    dtype: str
    block: tuple[int, int]
    nodata: float | None
    scale: float
    offset: float
    masked: bool
    sample: NDArray[Any]


def inspected(cell: Cell, reference: str, number: int, size_bytes: int | None, sampled: bool) -> InspectedFile:
    """Return what a file is.

    Args:
        cell: cell that the reference belongs to.
        reference: of the file.
        number: 1-based number of the band.
        size_bytes: size of the complete file by the metadata; None: unknown.
        sampled: whether to read a sample; otherwise it is empty.

    Raises:
        MissingFileError: the file does not exist.
        UnreadableFileError: it is truncated, or GDAL cannot open it.
        BandCountError: it has no band of this number.
        GridError: its georeferencing is not supported.
    """
    name = cell.located(reference)
    _check_size(cell, name, reference, size_bytes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            with open_raster(name) as file:
                return _facts(cell, reference, file, number, sampled)
        except RasterioIOError as error:
            raise UnreadableFileError(
                f"{cell.text}: {reference} is truncated or damaged, or not a raster ({quoted_reason(error)}); download "
                "it again"
            ) from None


def _check_size(cell: Cell, name: str, reference: str, size_bytes: int | None) -> None:
    if cell.kind not in ("files", "folder", "raster"):
        return
    if not os.path.exists(name):  # noqa: PTH110 - Path.exists raises for names that are too long
        raise MissingFileError(f"{cell.text}: {name} does not exist; correct the sample sheet or provide the file")
    found = os.path.getsize(name)  # noqa: PTH202
    if size_bytes is not None and found != size_bytes:
        raise UnreadableFileError(
            f"{cell.text}: {reference} has {found} bytes, but {size_bytes} by the product's manifest: the download is "
            "incomplete; download the product again"
        )


def _facts(cell: Cell, reference: str, file: Any, number: int, sampled: bool) -> InspectedFile:  # noqa: ANN401
    if not 1 <= number <= file.count:
        raise BandCountError(f"{cell.text}: {reference} has {file.count} band(s), not a band {number}")
    index = number - 1
    geobox = geobox_of(file, cell.base / reference)
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
        sample=_sample(cell, reference, file, number) if sampled else np.zeros((0, 0), np.float32),
    )


def _crs_text(crs: CRS) -> str:
    """Return a CRS as its EPSG code if that is exactly the same, otherwise as WKT."""
    code = crs.proj.to_epsg(min_confidence=100)
    return f"EPSG:{code}" if code is not None else crs.to_wkt()


def _sample(cell: Cell, reference: str, file: Any, number: int) -> NDArray[Any]:  # noqa: ANN401
    factor = max(1.0, max(file.height, file.width) / SAMPLE_PX)
    shape = max(1, round(file.height / factor)), max(1, round(file.width / factor))
    try:
        return np.asarray(file.read(number, out_shape=shape))
    except RasterioError as error:
        raise UnreadableFileError(
            f"{cell.text}: {reference} is truncated or damaged ({quoted_reason(error.__cause__ or error)}); "
            "download it again"
        ) from None
