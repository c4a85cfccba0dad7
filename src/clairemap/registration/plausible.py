"""Whether the values of a scene can be what the settings say: nodata that nobody tagged, SAR on another scale."""

import logging
from typing import Any, NoReturn

import numpy as np

from clairemap.errors import ValuesError
from clairemap.raster.census import BandCensus, Census, Extremes
from clairemap.raster.source import RasterSource
from clairemap.sar.decibels import MAX_DB, MIN_DB
from clairemap.settings import SarBands, Sensor

log = logging.getLogger(__name__)

OPTICAL_RANGE = (-1e9, 1e9)
"""What optical values can be, whatever their unit."""

SAR_RANGES = {
    "db": (MIN_DB, MAX_DB),
    "linear_power": (MIN_DB, 10 ** (MAX_DB / 10)),
    "linear_amplitude": (MIN_DB, 10 ** (MAX_DB / 20)),
    "digital": (0.0, 1e9),
}
"""What SAR values can be, by scale. Of linear values those that aren't positive are nodata; negative ones down to the
least dB are counted apart, because they may be decibels."""

CUSTOMARY = {-999.0, -9999.0, -32767.0, -32768.0, -99999.0, -999999.0, -9999999.0, -2147483648.0}
"""Values that programs write where there is nothing."""

REPEATED_PX = 16
"""So many equal extreme values are not a coincidence."""

LEAST_VALUES = 64
"""Fewer values say nothing about a scale."""

FAR_BELOW = 2.0
"""A value that lies further below 0 than so many times the highest above it is not measured."""

BRIGHTEST_LINEAR = 1.5
"""A scene's median of linear backscatter is lower, on land, at sea and in a city alike."""

TOPS = {32767.0, 2147483647.0}
"""The largest signed numbers, which programs write where there is nothing. Those of unsigned types mean saturation."""

GAP_DB = 10.0
"""A repeated lowest value so far below all others is not measured: backscatter thins out towards its floor."""

NEAR_DB = 1.0
OFTEN = 5
"""A value that is so many times as frequent as its neighbours, however coarsely values are rounded, isn't measured."""

LINEAR_SCALES = ("linear_power", "linear_amplitude")
NEARLY_ALL_PCT = 98
HALF = 0.4, 0.6
FEW, MOST = 0.05, 0.5
SOME = 0.01


def check_optical(source: RasterSource) -> None:
    """Check what has been read from an optical raster.

    Raises:
        ValuesError: a band holds nodata that neither the file nor the settings say: a value that no optical sensor
            measures, or one far from all others.
    """
    for index, band in _census(source).bands.items():
        extremes = band.extremes
        if extremes is None:
            continue
        if band.outside_px and source.dtype.kind == "f":
            low = extremes.lowest < band.low
            value, px = (extremes.lowest, extremes.lowest_px) if low else (extremes.highest, extremes.highest_px)
            _untagged(source, "optical", index, value, px, "which no optical sensor measures")
        if _stands_apart(source, index, band):
            upwards = f"the next value is {extremes.next_lowest:.9g}" if np.isfinite(extremes.next_lowest) else ""
            why = f"far below all others ({upwards})" if upwards else "and no other"
            _untagged(source, "optical", index, extremes.lowest, extremes.lowest_px, why)
        if _is_top(source, index, extremes):
            why = f"far above all others (the next value is {extremes.next_highest:.9g})"
            _untagged(source, "optical", index, extremes.highest, extremes.highest_px, why)


def check_sar(source: RasterSource, settings: SarBands) -> None:
    """Check what has been read from a SAR raster against its scale.

    Raises:
        ValuesError: nodata that neither the file nor the settings say, or values that are on another scale.
    """
    census = _census(source)
    if census.px < LEAST_VALUES:
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


def _stands_apart(source: RasterSource, index: int, band: BandCensus) -> bool:
    """Return whether a band's lowest value is negative, with nothing near it, and customary or far off."""
    extremes = band.extremes
    if extremes is None or extremes.lowest >= 0 or extremes.next_lowest < extremes.lowest / 2:
        return False
    if _stored(source, index, extremes.lowest) in CUSTOMARY:
        return True
    far = -extremes.lowest >= FAR_BELOW * max(extremes.highest, 0)
    return far and np.isfinite(extremes.next_lowest) and extremes.lowest_px >= REPEATED_PX


def _is_top(source: RasterSource, index: int, extremes: Extremes) -> bool:
    """Return whether a band's highest value is the largest signed number, repeated, with nothing near it."""
    return (
        source.stored_dtype.kind in "if"
        and _stored(source, index, extremes.highest) in TOPS
        and extremes.highest_px >= REPEATED_PX
        and -np.inf < extremes.next_highest < extremes.highest / 2
    )


def _check_outside(source: RasterSource, index: int, band: BandCensus, settings: SarBands) -> None:
    """Look at the values that can't be backscatter; where they are few and differ they are nodata without an error."""
    extremes = band.extremes
    if extremes is None or not band.outside_px:
        return
    ends = [(extremes.highest_px, extremes.highest)] if extremes.highest > band.high else []
    if extremes.lowest < band.low and settings.scale == "db":
        ends.append((extremes.lowest_px, extremes.lowest))
    if not ends:
        return
    px, value = max(ends)
    if px > 1 and px >= MOST * band.outside_px:
        _untagged(source, "sar", index, value, px, f"which can't be backscatter in {settings.scale}")
    if band.outside_px > SOME * band.px:
        why = f"{_share(band.outside_px, band.px)} of band {index} lie outside {band.low:g} to {band.high:g}"
        if extremes.lowest < band.low:
            why += (
                f"; decibels stored as whole numbers need their scale tag (gdal_edit.py -scale 0.01 {source.path.name})"
            )
        _other_scale(source, settings.scale, why)
    log.warning("%s, band %d: %d values can't be backscatter: nodata", source.path, index, band.outside_px)


def _check_decibels(source: RasterSource, census: Census) -> None:
    sample = census.sample
    negative = census.total("negative_px")
    if not negative and bool((sample == np.rint(sample)).all()) and sample.max() > 1:
        _other_scale(source, "db", "whole numbers, none of them negative, look like grey values", "digital")
    positive = sample[sample > 0]
    if negative < FEW * census.px and positive.size and np.median(positive) < BRIGHTEST_LINEAR:
        _other_scale(source, "db", "few if any are negative: they look linear", *LINEAR_SCALES)
    if np.percentile(np.abs(sample), NEARLY_ALL_PCT) < BRIGHTEST_LINEAR:
        _other_scale(
            source, "db", "nearly all lie about 0, as linear values or the parts of complex ones do", *LINEAR_SCALES
        )
    for index, band in census.bands.items():
        if _has_hole_of_zeros(band):
            _untagged(source, "sar", index, 0.0, band.zero_px, "exactly, which measured decibels are not")


def _has_hole_of_zeros(band: BandCensus) -> bool:
    """Return whether 0 dB, which is bright, stands for nothing: far more often than values near it, and not clipped."""
    if band.extremes is None or band.zero_px < REPEATED_PX:
        return False
    zeros = band.sample.size * band.zero_px / band.px
    near = band.sample[(np.abs(band.sample) <= NEAR_DB) & (band.sample != 0)]
    if zeros <= OFTEN * max(np.unique(near, return_counts=True)[1], default=1):
        return False
    return band.extremes.highest > 0 or bool(np.count_nonzero(near) < FEW * zeros)


def _check_linear(source: RasterSource, census: Census, settings: SarBands) -> None:
    seen = census.px - census.total("zero_px") - census.total("outside_px")
    negative = census.total("negative_px")
    below = census.sample[census.sample < MIN_DB]
    most_frequent = max(np.unique(below, return_counts=True)[1], default=0)
    if negative > MOST * seen or below.size - most_frequent > MOST * census.sample.size:  # one of them may be nodata
        _other_scale(source, settings.scale, "most are negative: they look like decibels", "db")
    if all(HALF[0] < np.mean(band.sample < 0) < HALF[1] for band in census.bands.values() if band.px):
        _other_scale(
            source,
            settings.scale,
            "in each band about half are negative, as in the real and the imaginary part of single-look complex SAR: "
            "compute intensity first, the sum of both squares",
        )


def _check_floor(source: RasterSource, index: int, band: BandCensus, settings: SarBands) -> None:
    """Look for a value, equal in many pixels, that lies far below all others."""
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
        _untagged(source, "sar", index, extremes.lowest, extremes.lowest_px, why)


def _check_grey(source: RasterSource, census: Census) -> None:
    for index, band in census.bands.items():
        if band.extremes is not None and _stands_apart(source, index, band):
            px = band.extremes.lowest_px
            _untagged(source, "sar", index, band.extremes.lowest, px, "which is not a grey value")
    if census.extremes[0] < 0:
        _other_scale(source, "digital", "grey values aren't negative: they look like decibels", "db")
    sample = census.sample
    if not bool((sample == np.rint(sample)).all()):
        likely = LINEAR_SCALES if np.median(sample) < BRIGHTEST_LINEAR else ("db",)
        _other_scale(source, "digital", "grey values are whole numbers", *likely)


def _untagged(source: RasterSource, sensor: Sensor, index: int, value: float, px: int, why: str) -> NoReturn:
    stored = _number(_stored(source, index, value), source.stored_dtype)
    raise ValuesError(
        f"{source.path}, band {index}: {px} of {_census(source).bands[index].px} values that were read are {stored}, "
        f"{why}. If it means nodata, say so: sensors.{sensor}.nodata: {stored} in the settings, or "
        f"gdal_edit.py -a_nodata {stored} {source.path.name}"
    )


def _other_scale(source: RasterSource, scale: str, why: str, *likely: str) -> NoReturn:
    census = _census(source)
    low, high = census.extremes
    others = [name for name in SAR_RANGES if name != scale]
    raise ValuesError(
        f"{source.path}: sensors.sar.scale is {scale}, but the values go from {low:.4g} to {high:.4g} with a median "
        f"of {np.median(census.sample):.4g}; {why}. Set sensors.sar.scale: {' or '.join(likely or others)}, "
        "or correct the file"
    )


def _stored(source: RasterSource, index: int, value: float) -> float:
    """Return the number that a file holds for a value: what a nodata tag has to name."""
    if not source.is_scaled:
        return value
    stored = source.scaling.stored(value, index)
    return float(round(stored)) if np.issubdtype(source.stored_dtype, np.integer) else stored


def _number(value: float, dtype: np.dtype[Any]) -> str:
    """Return a stored number with the fewest digits that tell it from others of its type."""
    return str(np.float32(value) if dtype == np.float32 else value).removesuffix(".0")


def _share(px: int, of_px: int) -> str:
    return f"{100 * px / max(of_px, 1):.3g} %"
