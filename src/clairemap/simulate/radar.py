"""The SAR sensor: backscatter of the ground with multi-look speckle."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from clairemap.grid.window import Window
from clairemap.simulate.landscape import Ground, GroundCover
from clairemap.simulate.materials import BACKSCATTER, ROUGHNESS, blended, mix_turbid_water, surface
from clairemap.simulate.noise import NoiseField, Positions, gradient_noise, hashed, smooth_step, uniform

SPECKLE_MARGIN_PX = 4  # radius of the resolution cell and of the speckle's correlation
_BLUR_PX = 0.5
_LOOKS = 2  # averaged exponentials; with the correlation below, the equivalent number of looks is about 4
_SPECKLE_KERNEL = np.array([0.08, 0.84, 0.08], np.float32)


def simulated_backscatter(ground: Ground, at: Positions, seed: int) -> NDArray[np.float32]:
    """Return sigma0 without speckle as linear power, (band, y, x) for VV and VH.

    The outer `SPECKLE_MARGIN_PX` pixels are not valid, because their neighbours are missing.
    """
    seen = surface(ground)
    grain = gradient_noise(at, 35, seed + 310)
    offset_db = 2.4 * (seen.variation - 0.5) + 6 * ROUGHNESS[seen.soil] * grain
    values = blended(BACKSCATTER, ground, seen, (10 ** (offset_db / 10)).astype(np.float32))
    wind = smooth_step(gradient_noise(at, 4000, seed + 311), -0.6, 0.8)
    mix_turbid_water(values, BACKSCATTER, ground, wind)
    values *= _double_bounce(ground)
    values *= 10 ** (0.06 * (ground.slope_east + 0.3 * ground.slope_north))
    return ndimage.gaussian_filter(values, (0, _BLUR_PX, _BLUR_PX), truncate=SPECKLE_MARGIN_PX / _BLUR_PX)


def _double_bounce(ground: Ground) -> NoiseField:
    """Return the gain of double bounce at walls that face the sensor; few houses have it."""
    chance = uniform(ground.plot, 81)
    faces = (ground.built > 0.3) & (chance > np.where(ground.cover == GroundCover.CITY, 0.72, 0.85))
    return np.where(faces, 10 ** (0.5 + 0.7 * uniform(ground.plot, 82)), 1).astype(np.float32)


def speckle(window: Window, bands: int, seed: int) -> NDArray[np.float32]:
    """Return multiplicative speckle of mean 1 for a window, (band, y, x).

    Approximately gamma distributed, about 4 equivalent looks, neighbouring pixels slightly correlated, bands
    independent. A pixel's value does not depend on the window.
    """
    outer = window.grown(1)
    rows = np.arange(outer.y0, outer.y1)[:, None] + np.zeros((1, outer.width), np.int64)
    columns = np.arange(outer.x0, outer.x1)[None, :] + np.zeros((outer.height, 1), np.int64)
    pixel = hashed(rows, columns, seed)
    power = np.zeros((bands, *outer.shape), np.float32)
    for band in range(bands):
        for look in range(_LOOKS):
            power[band] -= np.log1p(-uniform(pixel, 90 + 10 * band + look)) / _LOOKS
    for axis in (1, 2):
        power = ndimage.convolve1d(power, _SPECKLE_KERNEL, axis=axis, mode="nearest")
    return power[:, 1:-1, 1:-1]
