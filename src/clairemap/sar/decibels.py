"""Linear backscatter and decibels."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]
Mask = NDArray[np.bool_]


def power_to_db(power: Values) -> Values:
    """Return 10·log10 of linear power, any shape; 0 dB where the power is not positive (mask those pixels)."""
    safe = np.where(power > 0, power, np.float32(1))
    return np.multiply(np.log10(safe), np.float32(10), dtype=np.float32)


def db_to_power(decibels: Values) -> Values:
    """Return linear power, 10^(dB/10), any shape."""
    power: Values = np.power(np.float32(10), decibels / np.float32(10), dtype=np.float32)
    return power


def positive_in_all_bands(values: Values, valid: Mask) -> Mask:
    """Return which valid pixels (y, x) have a logarithm in every band of `values` (band, y, x).

    Zero and negative backscatter are what borders, thermal-noise removal and bad calibration leave behind.
    """
    return np.logical_and(valid, np.all(values > 0, axis=0))
