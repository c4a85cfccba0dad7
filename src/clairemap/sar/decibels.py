"""Linear power, decibels and plausible backscatter."""

import numpy as np
from numpy.typing import NDArray

from clairemap.validity import Mask

SarValues = NDArray[np.float32]

MIN_DB, MAX_DB = -80.0, 100.0
"""Plausible backscatter: from far below sensor noise to above the square of a 16-bit number (96 dB)."""


def power_to_db(power: SarValues) -> SarValues:
    """Return linear power of any shape in dB; 0 where the power is not positive (mask those pixels)."""
    safe = np.where(power > 0, power, np.float32(1))
    return np.multiply(np.log10(safe), np.float32(10), dtype=np.float32)


def db_to_power(decibels: SarValues) -> SarValues:
    """Return decibels of any shape as linear power."""
    power: SarValues = np.power(np.float32(10), decibels / np.float32(10), dtype=np.float32)
    return power


def plausible_power(power: SarValues, valid: Mask) -> Mask:
    """Return the valid pixels (y, x) with plausible backscatter in all bands of linear power (band, y, x).

    Borders, thermal-noise removal and wrong calibration leave values <= 0.
    """
    low, high = (np.float32(10 ** (limit / 10)) for limit in (MIN_DB, MAX_DB))
    return np.logical_and(valid, np.all((power >= low) & (power <= high), axis=0))


def plausible_db(decibels: SarValues, valid: Mask) -> Mask:
    """Return the valid pixels (y, x) with plausible backscatter in all bands of decibels (band, y, x)."""
    return np.logical_and(valid, np.all((decibels >= MIN_DB) & (decibels <= MAX_DB), axis=0))
