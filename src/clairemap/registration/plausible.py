"""Checks of a scene's values against the settings: untagged nodata, SAR on another scale."""

import logging
import shlex
from typing import Any, NoReturn

import numpy as np

from clairemap.errors import ValuesError
from clairemap.raster.census import BandCensus, Census, Extremes
from clairemap.raster.source import RasterSource
from clairemap.sar.decibels import MAX_DB, MIN_DB
from clairemap.settings import SarBands, Sensor

log = logging.getLogger(__name__)

OPTICAL_RANGE = (-1e9, 1e9)
"""Possible optical values in any unit."""

SAR_RANGES = {
    "db": (MIN_DB, MAX_DB),
    "linear_power": (MIN_DB, 10 ** (MAX_DB / 10)),
    "linear_amplitude": (MIN_DB, 10 ** (MAX_DB / 20)),
    "digital": (0.0, 1e9),
}
"""Possible SAR values by scale. Linear values that are not positive are nodata; negative ones above the minimum in dB
are counted separately, because they may be decibels."""

COMMON_NODATA = {-999.0, -9999.0, -32767.0, -32768.0, -99999.0, -999999.0, -9999999.0, -2147483648.0}
"""Values often used for nodata."""

REPEATED_PX = 16
"""Minimum number of equal extreme values that is not a coincidence."""

MIN_VALUES = 64
"""Minimum number of values for a check of the scale."""

FAR_BELOW_FACTOR = 2.0
"""A lowest value below -FAR_BELOW_FACTOR times the highest value is not a measurement."""

MAX_LINEAR_MEDIAN = 1.5
"""Upper limit of the median of linear backscatter over land, sea and cities."""

LARGEST_SIGNED = {32767.0, 2147483647.0}
"""Largest signed integers, often used for nodata. The largest unsigned integers mean saturation."""

GAP_DB = 10.0
"""Minimum gap between a repeated lowest value and all others if it is nodata: backscatter has no such gap."""

NEAR_DB = 1.0
"""Values this close to 0 dB are its neighbours."""
FREQUENT_FACTOR = 5
"""A value this many times as frequent as its neighbours is not a measurement, however coarsely values are rounded."""

LINEAR_SCALES = ("linear_power", "linear_amplitude")
NEARLY_ALL_PCT = 98
ABOUT_HALF = 0.4, 0.6
FEW_SHARE, MOST_SHARE = 0.05, 0.5
MAX_OUTSIDE_SHARE = 0.01


def check_optical(source: RasterSource) -> None:
    """Check the values read from an optical raster.

    Raises:
        ValuesError: a band has untagged nodata: a value that no optical sensor measures, or one far from all others.
    """
    for index, band in _census(source).bands.items():
        extremes = band.extremes
        if extremes is None:
            continue
        if band.outside_px and source.dtype.kind == "f":
            low = extremes.lowest < band.low
            value, px = (extremes.lowest, extremes.lowest_px) if low else (extremes.highest, extremes.highest_px)
            _raise_untagged(source, "optical", index, value, px, "which no optical sensor measures")
        if _has_isolated_lowest(source, index, band):
            following = f"the next value is {extremes.next_lowest:.9g}" if np.isfinite(extremes.next_lowest) else ""
            why = f"far below all others ({following})" if following else "the only value"
            _raise_untagged(source, "optical", index, extremes.lowest, extremes.lowest_px, why)
        if _has_isolated_highest(source, index, extremes):
            why = f"far above all others (the next value is {extremes.next_highest:.9g})"
            _raise_untagged(source, "optical", index, extremes.highest, extremes.highest_px, why)


def check_sar(source: RasterSource, settings: SarBands) -> None:
    """Check the values read from a SAR raster against its scale.

    Raises:
        ValuesError: the raster has untagged nodata, or its values are on another scale.
    """
    census = _census(source)
    if census.px < MIN_VALUES:
        return
    if settings.scale == "digital":
        _check_grey(source, census)
        return
    for index, band in census.bands.items():
        _check_outside(source, index, band, settings)
    if settings.scale == "db":
        _check_decibels(source, census)
    else:
        _check_linear(source, census, settings)
    for index, band in census.bands.items():
        _check_floor(source, index, band, settings)


def _census(source: RasterSource) -> Census:
    return source.census or Census()


def _has_isolated_lowest(source: RasterSource, index: int, band: BandCensus) -> bool:
    """Return whether a band's lowest value is negative, isolated, and either common as nodata or far off."""
    extremes = band.extremes
    if extremes is None or extremes.lowest >= 0 or extremes.next_lowest < extremes.lowest / 2:
        return False
    if _stored(source, index, extremes.lowest) in COMMON_NODATA:
        return True
    far = -extremes.lowest >= FAR_BELOW_FACTOR * max(extremes.highest, 0)
    return far and np.isfinite(extremes.next_lowest) and extremes.lowest_px >= REPEATED_PX


def _has_isolated_highest(source: RasterSource, index: int, extremes: Extremes) -> bool:
    """Return whether a band's highest value is a largest signed integer, repeated and isolated."""
    return (
        source.stored_dtype.kind in "if"
        and _stored(source, index, extremes.highest) in LARGEST_SIGNED
        and extremes.highest_px >= REPEATED_PX
        and -np.inf < extremes.next_highest < extremes.highest / 2
    )


def _check_outside(source: RasterSource, index: int, band: BandCensus, settings: SarBands) -> None:
    """Check values that cannot be backscatter: a few different ones become nodata with a warning."""
    extremes = band.extremes
    if extremes is None or not band.outside_px:
        return
    ends = [(extremes.highest_px, extremes.highest)] if extremes.highest > band.high else []
    if extremes.lowest < band.low and settings.scale == "db":
        ends.append((extremes.lowest_px, extremes.lowest))
    if not ends:
        return
    px, value = max(ends)
    if px > 1 and px >= MOST_SHARE * band.outside_px:
        _raise_untagged(source, "sar", index, value, px, f"which cannot be backscatter in {settings.scale}")
    if band.outside_px > MAX_OUTSIDE_SHARE * band.px:
        why = f"{_share(band.outside_px, band.px)} of band {index} are outside {band.low:g} to {band.high:g}"
        if extremes.lowest < band.low:
            command = f"gdal_edit.py -scale 0.01 {shlex.quote(str(source.path))}"
            why += f"; decibels stored as whole numbers need a scale tag ({command})"
        _raise_scale(source, settings.scale, why)
    log.warning("%s, band %d: %d values cannot be backscatter; set to nodata", source.path, index, band.outside_px)


def _check_decibels(source: RasterSource, census: Census) -> None:
    sample = census.sample
    negative = census.total("negative_px")
    if not negative and bool((sample == np.rint(sample)).all()) and sample.max() > 1:
        _raise_scale(source, "db", "whole numbers without negative ones look like grey values", "digital")
    positive = sample[sample > 0]
    if negative < FEW_SHARE * census.px and positive.size and np.median(positive) < MAX_LINEAR_MEDIAN:
        _raise_scale(source, "db", "few or none are negative: they look linear", *LINEAR_SCALES)
    if np.percentile(np.abs(sample), NEARLY_ALL_PCT) < MAX_LINEAR_MEDIAN:
        _raise_scale(
            source, "db", "nearly all are close to 0, like linear values or parts of complex values", *LINEAR_SCALES
        )
    for index, band in census.bands.items():
        if _has_hole_of_zeros(band):
            _raise_untagged(source, "sar", index, 0.0, band.zero_px, "but measured decibels are hardly ever exactly 0")


def _has_hole_of_zeros(band: BandCensus) -> bool:
    """Return whether 0 dB is nodata: much more frequent than values near it, and not a clipping limit."""
    if band.extremes is None or band.zero_px < REPEATED_PX:
        return False
    zeros = band.sample.size * band.zero_px / band.px
    near = band.sample[(np.abs(band.sample) <= NEAR_DB) & (band.sample != 0)]
    if zeros <= FREQUENT_FACTOR * max(np.unique(near, return_counts=True)[1], default=1):
        return False
    return band.extremes.highest > 0 or bool(np.count_nonzero(near) < FEW_SHARE * zeros)


def _check_linear(source: RasterSource, census: Census, settings: SarBands) -> None:
    seen = census.px - census.total("zero_px") - census.total("outside_px")
    negative = census.total("negative_px")
    below = census.sample[census.sample < MIN_DB]
    most_frequent = max(np.unique(below, return_counts=True)[1], default=0)
    others = below.size - most_frequent  # the most frequent value may be nodata
    if negative > MOST_SHARE * seen or others > MOST_SHARE * census.sample.size:
        _raise_scale(source, settings.scale, "most are negative: they look like decibels", "db")
    if all(ABOUT_HALF[0] < np.mean(band.sample < 0) < ABOUT_HALF[1] for band in census.bands.values() if band.px):
        _raise_scale(
            source,
            settings.scale,
            "in each band about half are negative, like the real and imaginary parts of single-look complex SAR: "
            "compute the intensity (sum of both squares) first",
        )


def _check_floor(source: RasterSource, index: int, band: BandCensus, settings: SarBands) -> None:
    extremes = band.extremes
    if extremes is None or extremes.lowest_px < REPEATED_PX or not np.isfinite(extremes.next_lowest):
        return
    gap_db = extremes.next_lowest - extremes.lowest
    if settings.scale != "db":
        if extremes.lowest <= 0:
            return
        tenfold_db = 10 if settings.scale == "linear_power" else 20
        gap_db = tenfold_db * np.log10(extremes.next_lowest / extremes.lowest)
    if gap_db >= GAP_DB:
        why = f"{gap_db:.3g} dB below all others"
        _raise_untagged(source, "sar", index, extremes.lowest, extremes.lowest_px, why)


def _check_grey(source: RasterSource, census: Census) -> None:
    for index, band in census.bands.items():
        if band.extremes is not None and _has_isolated_lowest(source, index, band):
            px = band.extremes.lowest_px
            _raise_untagged(source, "sar", index, band.extremes.lowest, px, "which is not a grey value")
    if census.extremes[0] < 0:
        _raise_scale(source, "digital", "grey values are not negative: they look like decibels", "db")
    sample = census.sample
    if not bool((sample == np.rint(sample)).all()):
        likely = LINEAR_SCALES if np.median(sample) < MAX_LINEAR_MEDIAN else ("db",)
        _raise_scale(source, "digital", "grey values are whole numbers", *likely)


def _raise_untagged(source: RasterSource, sensor: Sensor, index: int, value: float, px: int, why: str) -> NoReturn:
    stored = _number(_stored(source, index, value), source.stored_dtype)
    raise ValuesError(
        f"{source.path}, band {index}: {px} of {_census(source).bands[index].px} values read are {stored}, "
        f"{why}. If it means nodata, set sensors.{sensor}.nodata: {stored} in the settings, or tag the file: "
        f"gdal_edit.py -a_nodata {stored} {shlex.quote(str(source.path))}"
    )


def _raise_scale(source: RasterSource, scale: str, why: str, *likely: str) -> NoReturn:
    census = _census(source)
    low, high = census.extremes
    others = [name for name in SAR_RANGES if name != scale]
    raise ValuesError(
        f"{source.path}: sensors.sar.scale is {scale}, but the values range from {low:.4g} to {high:.4g} (median "
        f"{np.median(census.sample):.4g}); {why}. Set sensors.sar.scale: {' or '.join(likely or others)}, "
        "or correct the file"
    )


def _stored(source: RasterSource, index: int, value: float) -> float:
    """Return the number stored in the file for a value: the nodata tag must name it."""
    if not source.is_scaled:
        return value
    stored = source.scaling.stored(value, index)
    return float(round(stored)) if np.issubdtype(source.stored_dtype, np.integer) else stored


def _number(value: float, dtype: np.dtype[Any]) -> str:
    """Return a stored number with the fewest digits that identify it in its type."""
    return str(np.float32(value) if dtype == np.float32 else value).removesuffix(".0")


def _share(px: int, of_px: int) -> str:
    return f"{100 * px / max(of_px, 1):.3g} %"
