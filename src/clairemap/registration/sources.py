"""Opening a scene's rasters by role and settings."""

import re
import shlex
from typing import Literal

import numpy as np

from clairemap.classes import Legend, Rgb
from clairemap.errors import BandCountError, ValuesError
from clairemap.grid.window import Window
from clairemap.raster.census import Census
from clairemap.raster.source import RasterSource
from clairemap.raster.values import Reading
from clairemap.raster.virtual_raster import Raster, VirtualRaster
from clairemap.registration.plausible import OPTICAL_RANGE, SAR_RANGES
from clairemap.settings import OpticalBands, SarBands, Sensor
from clairemap.sources.band_files import is_named

COLOURS_SHOWN = 2

NO_LEGEND = Legend(classes=())


def optical_source(raster: Raster, settings: OpticalBands) -> RasterSource:
    """Return an opened optical raster that counts the values read, for `check_optical`.

    Raises:
        MissingFileError, UnreadableFileError, GridError, ValuesError: see `RasterSource`.
        BandCountError: the file names its bands in another order than the settings.
    """
    source = RasterSource(raster, _reading(raster, settings), Census(*OPTICAL_RANGE))
    _check_order(source, settings, "optical")
    return source


def sar_source(raster: Raster, settings: SarBands) -> RasterSource:
    """Return an opened SAR raster that counts the values read, for `check_sar`.

    Raises:
        MissingFileError, UnreadableFileError, GridError: see `RasterSource`.
        ValuesError: complex numbers, or 8-bit numbers declared as backscatter.
        BandCountError: the file names its bands in another order than the settings.
    """
    digital = settings.scale == "digital"  # only grey values can be 0 by measurement
    source = RasterSource(raster, _reading(raster, settings, measurable=digital), Census(*SAR_RANGES[settings.scale]))
    if not digital and source.stored_dtype == np.uint8 and not source.is_scaled:
        raise ValuesError(
            f"{source.path}: contains 8-bit whole numbers (uint8) without a scale tag, but sensors.sar.scale is "
            f"{settings.scale}; for grey values set sensors.sar.scale: digital, otherwise supply backscatter as float32"
        )
    _check_order(source, settings, "sar")
    return source


def codes_source(
    raster: Raster, role: Literal["label", "cloud"], zero_is_data: bool = False, legend: Legend = NO_LEGEND
) -> RasterSource:
    """Return an opened raster of codes: one band (and alpha), without a scale.

    Raises:
        MissingFileError, UnreadableFileError, GridError: see `RasterSource`.
        BandCountError: it has several bands, for example a picture of class colours.
        ValuesError: it has a scale or offset tag, or complex numbers.
    """
    source = RasterSource(raster, Reading(apply_scale=False, zero_is_data=zero_is_data))
    path = source.path
    if len(source.data_bands) != 1:
        raise BandCountError(f"{path}: {_band_count_message(source, role, legend)}")
    if not source.scaling.is_trivial:
        raise ValuesError(
            f"{path}: the {role} has scale {source.scaling.scales[0]:g} and offset {source.scaling.offsets[0]:g} as "
            "tags, but codes must not be scaled; if the stored numbers are the codes, remove the tags: "
            f"gdal_edit.py -scale 1 -offset 0 {shlex.quote(str(path))}; otherwise store the codes as whole numbers"
        )
    return source


def _check_order(source: RasterSource, settings: OpticalBands | SarBands, sensor: Sensor) -> None:
    """Check that the bands of a file are not the wanted ones in another order, by their descriptions.

    `indexes` in the settings choose the bands whatever their descriptions.
    """
    described, names = source.band_descriptions, settings.names
    if settings.indexes is not None or len(described) != len(names):
        return
    places = [[place for place, text in enumerate(described, 1) if _describes(text, name)] for name in names]
    indexes = [place for found in places for place in found]
    if all(len(found) == 1 for found in places) and sorted(indexes) == list(range(1, len(names) + 1)) != indexes:
        raise BandCountError(
            f"{source.path}: by their descriptions its bands are {', '.join(described)}, but sensors.{sensor}.bands is "
            f"{', '.join(names)}; set sensors.{sensor}.indexes: {indexes}, or {list(range(1, len(names) + 1))} if the "
            "descriptions are wrong. If other scenes have another order, bring the files to one: gdal_translate "
            f"{' '.join(f'-b {index}' for index in indexes)} {shlex.quote(str(source.path))} {sensor}.tif"
        )


def _describes(text: str, name: str) -> bool:
    """Return whether a band's description names a band: Sigma0_VH, B4 or "red (B04)"."""
    return text.strip().lower() == name.lower() or is_named(re.sub(r"[^0-9A-Za-z]+", "_", text), name)


def _reading(raster: Raster, settings: OpticalBands | SarBands, measurable: bool = True) -> Reading:
    """Return how to read a sensor's raster. Tags of a virtual raster were decided by resolve_scene: they apply."""
    if isinstance(raster, VirtualRaster):
        return Reading(settings.nodata, measurable=measurable and not raster.nodata_in_any)
    return Reading(settings.nodata, settings.apply_scale, measurable)


def _band_count_message(source: RasterSource, role: str, legend: Legend) -> str:
    """Return the error text for a raster of codes with several bands, with the remedy."""
    name, bands = shlex.quote(str(source.path)), source.data_bands
    content = {"label": "class codes", "cloud": "0 where clear and 1 where cloudy"}[role]
    fault = f"has {len(bands)} band(s), but a {role} raster must have one, of {content}"
    if role == "cloud" or len(bands) != 3 or source.stored_dtype != np.uint8:
        return f"{fault}; extract the right band, for example the first: gdal_translate -b 1 {name} {role}.tif"
    colours = zip(legend.unused_codes, _colours(source), strict=False)  # stages do not get the legend's colours
    terms = [f"{code}*(A=={red})*(B=={green})*(C=={blue})" for code, (red, green, blue) in colours]
    return (
        f"{fault}. It looks like an RGB image of class colours. Replace each colour by its class's code in "
        f"legend.classes, with one term per class{_unused_note(legend)}:\n"
        f'gdal_calc.py -A {name} --A_band=1 -B {name} --B_band=2 -C {name} --C_band=3 --calc="'
        f'{" + ".join(terms)}" --type=Byte --NoDataValue=0 --outfile={role}.tif'
    )


def _unused_note(legend: Legend) -> str:
    """Return a note on the codes of the example."""
    codes = " and ".join(map(str, legend.unused_codes[:COLOURS_SHOWN]))
    return f" ({codes} are codes that your legend does not use)" if codes else ""


def _colours(source: RasterSource) -> list[Rgb]:
    height, width = source.shape
    block = source.read(Window(height // 4, width // 4, min(height, 512), min(width, 512)), source.data_bands)
    colours, counts = np.unique(block.values[:, block.valid], axis=1, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:COLOURS_SHOWN]
    return [(int(red), int(green), int(blue)) for red, green, blue in colours.T[most]]
