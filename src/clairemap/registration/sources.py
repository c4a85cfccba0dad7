"""Opening a scene's rasters, each as its role and the settings say: the one place that does."""

from pathlib import Path
from typing import Literal

import numpy as np

from clairemap.classes import Legend, Rgb
from clairemap.errors import BandCountError, ValuesError
from clairemap.grid.window import Window
from clairemap.raster.census import Census
from clairemap.raster.source import RasterSource
from clairemap.raster.values import Reading
from clairemap.registration.plausible import OPTICAL_RANGE, SAR_RANGES
from clairemap.settings import OpticalBands, SarBands

COLOURS_SHOWN = 2

NO_LEGEND = Legend(classes=())


def optical_source(path: Path, settings: OpticalBands) -> RasterSource:
    """Return an optical raster, opened; what is read from it is counted for `check_optical`.

    Raises:
        MissingFileError, UnreadableFileError, GridError, ValuesError: as `RasterSource`.
    """
    return RasterSource(path, Reading(settings.nodata, settings.apply_scale), Census(*OPTICAL_RANGE))


def sar_source(path: Path, settings: SarBands) -> RasterSource:
    """Return a SAR raster, opened; what is read from it is counted for `check_sar`.

    Raises:
        MissingFileError, UnreadableFileError, GridError: as `RasterSource`.
        ValuesError: complex numbers, or 8-bit ones that are said to be backscatter.
    """
    digital = settings.scale == "digital"  # only grey values can be 0 by measurement
    reading = Reading(settings.nodata, settings.apply_scale, measurable=digital)
    source = RasterSource(path, reading, Census(*SAR_RANGES[settings.scale]))
    if not digital and source.stored_dtype == np.uint8 and not source.is_scaled:
        raise ValuesError(
            f"{path}: holds 8-bit whole numbers (uint8) without a scale tag, but sensors.sar.scale is "
            f"{settings.scale}; for a picture of grey values set sensors.sar.scale: digital, else give backscatter as "
            "floats"
        )
    return source


def codes_source(
    path: Path, role: Literal["label", "cloud"], zero_is_data: bool = False, legend: Legend = NO_LEGEND
) -> RasterSource:
    """Return a raster of codes, opened: one band besides alpha, without a scale.

    Raises:
        MissingFileError, UnreadableFileError, GridError: as `RasterSource`.
        BandCountError: it has other bands, such as a picture of class colours.
        ValuesError: it has a scale or offset tag, or complex numbers.
    """
    source = RasterSource(path, Reading(apply_scale=False, zero_is_data=zero_is_data))
    if len(source.data_bands) != 1:
        raise BandCountError(f"{path}: {_told(source, role, legend)}")
    if not source.scaling.is_trivial:
        raise ValuesError(
            f"{path}: the {role} has scale {source.scaling.scales[0]:g} and offset {source.scaling.offsets[0]:g} as "
            "tags, but codes have neither; if the stored numbers are the codes, remove the tags: "
            f"gdal_edit.py -scale 1 -offset 0 {path.name}; else store the values as whole numbers"
        )
    return source


def _told(source: RasterSource, role: str, legend: Legend) -> str:
    """Return what is wrong with a raster of several bands where one of codes is wanted, and what to do."""
    name, bands = source.path.name, source.data_bands
    wanted = {"label": "class codes", "cloud": "0 where clear and 1 where cloudy"}[role]
    told = f"has {len(bands)} band(s), but a {role} raster has one, of {wanted}"
    if role == "cloud" or len(bands) != 3 or source.stored_dtype != np.uint8:
        return f"{told}; take the right one out, such as the first: gdal_translate -b 1 {name} {role}.tif"
    colours = zip(legend.unused_codes, _colours(source), strict=False)  # stages don't know the legend's colours
    terms = [f"{code}*(A=={red})*(B=={green})*(C=={blue})" for code, (red, green, blue) in colours]
    return (
        f"{told}; this looks like a picture of class colours: turn each colour into its class's code in "
        "legend.classes, with one term for each class (here unused codes): "
        f'gdal_calc.py -A {name} --A_band=1 -B {name} --B_band=2 -C {name} --C_band=3 --calc="'
        f'{" + ".join(terms)}" --type=Byte --NoDataValue=0 --outfile={role}.tif'
    )


def _colours(source: RasterSource) -> list[Rgb]:
    """Return some of the colours of a picture, the most frequent first."""
    height, width = source.shape
    block = source.read(Window(height // 4, width // 4, min(height, 512), min(width, 512)), source.data_bands)
    colours, counts = np.unique(block.values[:, block.valid], axis=1, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:COLOURS_SHOWN]
    return [(int(red), int(green), int(blue)) for red, green, blue in colours.T[most]]
