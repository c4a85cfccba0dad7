"""Speckle: Lee filter, moving mean, simulation."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from clairemap.grid.points import Size
from clairemap.sar.decibels import power_to_db
from clairemap.validity import Mask

Band = NDArray[np.float32]
Bands = NDArray[np.float32]

AMPLITUDE_VARIATION = math.sqrt(4 / math.pi - 1)
"""Coefficient of variation of single-look amplitude (Rayleigh distribution); that of power is 1."""

GAUSSIAN_PER_BOX = 1 / math.sqrt(12)
"""Sigma of a Gaussian with the second moment of a box of side 1; it averages 1.05 times as many looks."""

GAUSSIAN_REACH = 3.0
"""Cut-off of the Gaussian in sigmas."""


def power_variation(looks: float) -> float:
    """Return the coefficient of variation of speckle in linear power, given the equivalent looks."""
    return 1 / math.sqrt(looks)


def amplitude_variation(looks: float) -> float:
    """Return the coefficient of variation of speckle in amplitude, given the equivalent looks."""
    return AMPLITUDE_VARIATION / math.sqrt(looks)


def lee(band: Band, valid: Mask, window_px: int, variation: float) -> Band:
    """Return a band (y, x) after Lee's local-statistics filter for multiplicative noise; 0 where invalid.

    Each pixel moves towards its window's mean, most where the window varies no more than speckle. Invalid pixels have
    no influence. Reach: ``window_px // 2``.

    Args:
        band: linear power or amplitude (y, x).
        valid: valid pixels (y, x).
        window_px: side of the window, odd.
        variation: coefficient of variation of speckle, from `power_variation` or `amplitude_variation`.

    Source: J. S. Lee, Digital image enhancement and noise filtering by use of local statistics, IEEE TPAMI 1980.
    """
    present = valid.astype(np.float64)
    values = np.where(valid, band, np.float32(0)).astype(np.float64)
    count = ndimage.uniform_filter(present, window_px, mode="constant")
    count = np.maximum(count, 0.5 / window_px**2)  # avoids 0 / 0; the window of a valid pixel counts at least one
    mean = ndimage.uniform_filter(values, window_px, mode="constant") / count
    variance = ndimage.uniform_filter(values**2, window_px, mode="constant") / count - mean**2
    speckle = (variation * mean) ** 2
    signal = np.maximum(variance - speckle, 0) / (1 + variation**2)
    gain = np.divide(signal, variance, out=np.zeros_like(signal), where=signal > 0)
    return np.where(valid, mean + gain * (values - mean), 0).astype(np.float32)


def averaged(band: Band, valid: Mask, box_px: Size[float]) -> tuple[Band, Mask]:
    """Return the moving mean of a band (y, x) over a window of about `box_px`, and its valid pixels (y, x).

    The weights are a Gaussian with the second moment of the box, so that fractional sizes cause no shift. A pixel is
    valid if it was before or if half of the weight is on valid pixels. Reach: `averaging_reach_px`.
    """
    sigma = [side * GAUSSIAN_PER_BOX if side > 1 else 0.0 for side in box_px]
    radius = [math.ceil(GAUSSIAN_REACH * each) for each in sigma]
    weight = ndimage.gaussian_filter(valid.astype(np.float32), sigma, mode="constant", radius=radius)
    total = ndimage.gaussian_filter(np.where(valid, band, np.float32(0)), sigma, mode="constant", radius=radius)
    kept = valid | (weight >= 0.5)
    return np.divide(total, weight, out=np.zeros_like(total), where=kept), kept


def averaging_reach_px(box_px: Size[float]) -> int:
    """Return the reach of `averaged` in pixels."""
    return max(math.ceil(GAUSSIAN_REACH * GAUSSIAN_PER_BOX * side) if side > 1 else 0 for side in box_px)


def speckle_power(shape: tuple[int, ...], looks: float, random: np.random.Generator) -> Bands:
    """Return speckle in linear power: independent, gamma-distributed pixels with mean 1 and variance ``1 / looks``.

    Multilook intensity of fully developed speckle (Oliver and Quegan, Understanding SAR Images, 2004). Values are at
    least the smallest normal float32, so that their logarithm is finite.
    """
    power: Bands = random.standard_gamma(looks, shape, np.float32)
    power /= np.float32(looks)
    return np.maximum(power, np.finfo(np.float32).tiny)


def speckled_db(decibels: Bands, looks: float, random: np.random.Generator) -> Bands:
    """Return bands in dB, any shape, with additional speckle; the mean power is unchanged."""
    return decibels + power_to_db(speckle_power(decibels.shape, looks, random))


def speckled_amplitude(amplitude: Bands, looks: float, random: np.random.Generator) -> Bands:
    """Return amplitude bands, any shape, with additional speckle; the mean power is unchanged."""
    return amplitude * np.sqrt(speckle_power(amplitude.shape, looks, random))
