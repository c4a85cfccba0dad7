"""Conversion of SAR bands to network input: speckle filter, averaging, decibels."""

import numpy as np
from numpy.typing import NDArray

from clairemap.grid.points import Size
from clairemap.sar.decibels import SarValues, db_to_power, plausible_db, plausible_power, power_to_db
from clairemap.sar.speckle import amplitude_variation, averaged, averaging_reach_px, lee, power_variation
from clairemap.settings import TiledSar
from clairemap.validity import Mask

NO_AVERAGING = Size(1.0, 1.0)

MAX_AMPLITUDE = np.float32(1e9)
"""Limit of amplitude before squaring, so that squares fit float32."""


def reach_px(settings: TiledSar, box_px: Size[float] = NO_AVERAGING) -> int:
    """Return the margin in pixels that `backscatter` needs around a window."""
    filtered = settings.speckle_window_px // 2 if settings.speckle_filter == "lee" else 0
    return filtered + averaging_reach_px(box_px)


def backscatter(
    values: NDArray[np.generic], valid: Mask, settings: TiledSar, box_px: Size[float] = NO_AVERAGING
) -> tuple[SarValues, Mask]:
    """Return SAR bands (band, y, x) in dB, or grey values for the scale "digital", and the valid pixels (y, x).

    Filter and averaging use linear power, because means of dB are biased; "digital" values are treated as amplitude.
    Pixels with implausible backscatter in any band become invalid. Invalid pixels have no influence and are 0.

    Args:
        values: bands (band, y, x) in the scale of the settings.
        valid: valid pixels (y, x).
        settings: scale and speckle filter.
        box_px: averaging window, for a coarser target grid.
    """
    bands = np.asarray(values, np.float32)
    valid = _plausible(bands, valid, settings)
    bands = np.where(valid, bands, np.float32(0))
    if settings.speckle_filter == "none" and max(box_px) <= 1 and settings.scale in ("db", "digital"):
        return bands, valid  # no conversion: values are identical to the bit
    linear = _linear(bands, settings)
    kept = valid
    for index, band in enumerate(linear):
        if settings.speckle_filter == "lee":
            band = lee(band, valid, settings.speckle_window_px, _speckle_variation(settings))
        linear[index], kept = averaged(band, valid, box_px) if max(box_px) > 1 else (band, valid)
    out = linear if settings.scale == "digital" else power_to_db(linear)
    return np.where(kept, out, np.float32(0)), kept


def _plausible(bands: SarValues, valid: Mask, settings: TiledSar) -> Mask:
    if settings.scale == "digital":
        return valid
    if settings.scale == "db":
        return plausible_db(bands, valid)
    if settings.scale == "linear_amplitude":
        bands = np.sign(bands) * np.square(bands.clip(-MAX_AMPLITUDE, MAX_AMPLITUDE))
    return plausible_power(bands, valid)


def _linear(bands: SarValues, settings: TiledSar) -> SarValues:
    if settings.scale == "linear_amplitude":
        return bands**2
    if settings.scale == "db":
        return db_to_power(bands)
    return bands.copy()


def _speckle_variation(settings: TiledSar) -> float:
    return amplitude_variation(settings.looks) if settings.scale == "digital" else power_variation(settings.looks)
