"""Linear backscatter and decibels."""

import numpy as np
from numpy.typing import NDArray

from clairemap.validity import Mask

SarValues = NDArray[np.float32]

LEAST_DB, MOST_DB = -80.0, 100.0
"""What backscatter can be: far below any sensor's noise, and above the square of a 16-bit number (96 dB)."""


def power_to_db(power: SarValues) -> SarValues:
    """Return 10·log10 of linear power, any shape; 0 dB where the power is not positive (mask those pixels)."""
    safe = np.where(power > 0, power, np.float32(1))
    return np.multiply(np.log10(safe), np.float32(10), dtype=np.float32)


def db_to_power(decibels: SarValues) -> SarValues:
    """Return linear power, 10^(dB/10), any shape."""
    power: SarValues = np.power(np.float32(10), decibels / np.float32(10), dtype=np.float32)
    return power


def plausible_power(power: SarValues, valid: Mask) -> Mask:
    """Return which valid pixels (y, x) hold backscatter in every band of linear power (band, y, x).

    Zero and negative backscatter are what borders, thermal-noise removal and bad calibration leave behind.
    """
    low, high = (np.float32(10 ** (limit / 10)) for limit in (LEAST_DB, MOST_DB))
    return np.logical_and(valid, np.all((power >= low) & (power <= high), axis=0))


def plausible_db(decibels: SarValues, valid: Mask) -> Mask:
    """Return which valid pixels (y, x) hold backscatter in every band of decibels (band, y, x)."""
    return np.logical_and(valid, np.all((decibels >= LEAST_DB) & (decibels <= MOST_DB), axis=0))
