"""Moving means and the Lee filter on SAR bands, both blind to invalid pixels; and speckle made anew."""

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
"""Standard deviation over mean of single-look amplitude (Rayleigh distribution); that of power is 1."""

GAUSSIAN_PER_BOX = 1 / math.sqrt(12)
"""Sigma of the Gaussian with the second moment of a box of side 1; it averages 1.05 times as many looks."""

GAUSSIAN_REACH = 3.0
"""The Gaussian is cut off at this many sigmas."""


def power_variation(looks: float) -> float:
    """Return standard deviation over mean of pure speckle in linear power with that many equivalent looks."""
    return 1 / math.sqrt(looks)


def amplitude_variation(looks: float) -> float:
    """Return standard deviation over mean of pure speckle in amplitude with that many equivalent looks."""
    return AMPLITUDE_VARIATION / math.sqrt(looks)


def lee(band: Band, valid: Mask, window_px: int, variation: float) -> Band:
    """Return one band (y, x) filtered with Lee's local-statistics filter; 0 where invalid.

    Each pixel moves towards its window's mean, the more the less the window varies beyond pure speckle.
    Invalid pixels neither count in a window nor get a value. Reach: ``window_px // 2``.

    Args:
        band: linear power, or amplitude.
        valid: which pixels count.
        window_px: side of the window, odd.
        variation: standard deviation over mean of pure speckle, from `power_variation` or `amplitude_variation`.

    Source: J. S. Lee, Digital image enhancement and noise filtering by use of local statistics, IEEE TPAMI 1980,
    for multiplicative noise.
    """
    present = valid.astype(np.float64)
    values = np.where(valid, band, np.float32(0)).astype(np.float64)
    count = ndimage.uniform_filter(present, window_px, mode="constant")
    count = np.maximum(count, 0.5 / window_px**2)  # half a pixel: no window of a valid pixel counts less than one
    mean = ndimage.uniform_filter(values, window_px, mode="constant") / count
    variance = ndimage.uniform_filter(values**2, window_px, mode="constant") / count - mean**2
    speckle = (variation * mean) ** 2
    signal = np.maximum(variance - speckle, 0) / (1 + variation**2)
    gain = np.divide(signal, variance, out=np.zeros_like(signal), where=signal > 0)
    return np.where(valid, mean + gain * (values - mean), 0).astype(np.float32)


def averaged(band: Band, valid: Mask, box_px: Size[float]) -> tuple[Band, Mask]:
    """Return a moving mean of one band (y, x) over about (height, width) pixels, and where it is valid.

    A Gaussian with a box's second moment, so that any size, fractions included, works without a shift. A pixel is
    valid if it was, or if at least half of the weight around it is. Reach: `averaging_reach_px`.
    """
    sigma = [side * GAUSSIAN_PER_BOX if side > 1 else 0.0 for side in box_px]
    radius = [math.ceil(GAUSSIAN_REACH * each) for each in sigma]
    weight = ndimage.gaussian_filter(valid.astype(np.float32), sigma, mode="constant", radius=radius)
    total = ndimage.gaussian_filter(np.where(valid, band, np.float32(0)), sigma, mode="constant", radius=radius)
    kept = valid | (weight >= 0.5)
    return np.divide(total, weight, out=np.zeros_like(total), where=kept), kept


def averaging_reach_px(box_px: Size[float]) -> int:
    """Return how far away a pixel can be and still count in `averaged`."""
    return max(math.ceil(GAUSSIAN_REACH * GAUSSIAN_PER_BOX * side) if side > 1 else 0 for side in box_px)


def speckle_power(shape: tuple[int, ...], looks: float, random: np.random.Generator) -> Bands:
    """Return pure speckle in linear power: gamma-distributed, mean 1, variance ``1 / looks``, pixels independent.

    Multilook intensity of fully developed speckle (Oliver and Quegan, Understanding SAR Images, 2004).
    The smallest value is the least normal float32, so that the logarithm exists however few the looks.
    """
    power: Bands = random.standard_gamma(looks, shape, np.float32)
    power /= np.float32(looks)
    return np.maximum(power, np.finfo(np.float32).tiny)


def speckled_db(decibels: Bands, looks: float, random: np.random.Generator) -> Bands:
    """Return bands in dB, any shape, with further speckle of so many looks; the mean power stays."""
    return decibels + power_to_db(speckle_power(decibels.shape, looks, random))


def speckled_amplitude(amplitude: Bands, looks: float, random: np.random.Generator) -> Bands:
    """Return bands of amplitude, any shape, with further speckle of so many looks; the mean power stays."""
    return amplitude * np.sqrt(speckle_power(amplitude.shape, looks, random))
