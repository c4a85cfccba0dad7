"""The SAR sensor: backscatter of the ground with multi-look speckle."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from clairemap.grid.window import Window
from clairemap.simulate.acquisition import (
    DEMO,
    HEIGHT_M,
    INCIDENCE_DEG,
    Acquisition,
    incidence_gain,
    wet_gain,
    wetness,
)
from clairemap.simulate.landscape import Ground, GroundCover
from clairemap.simulate.materials import ROUGHNESS, blended, mix_turbid_water, surface
from clairemap.simulate.noise import NoiseField, Positions, gradient_noise, hashed, smooth_step, uniform
from clairemap.simulate.seasons import backscatter_table

SPECKLE_MARGIN_PX = 4  # radius of the resolution cell and of the speckle's correlation
LAYOVER_PX = 4  # maximum displacement of the top of a forest
_PIXEL_M = 10.0
_FRONT_SHARE, _SHADOW_LOSS = 0.6, 0.8  # power that layover adds in front of an edge; share lost in shadow behind it
_BLUR_PX = 0.5
_LOOKS = 2  # averaged exponentials; with the correlation below, the equivalent number of looks is about 4
_SPECKLE_KERNEL = np.array([0.08, 0.84, 0.08], np.float32)


def margin_px(acquisition: Acquisition) -> int:
    """Return how many of the outer pixels of `simulated_backscatter` are not valid: their neighbours are missing."""
    return SPECKLE_MARGIN_PX + (LAYOVER_PX if acquisition.layover else 0)


def simulated_backscatter(
    ground: Ground, at: Positions, seed: int, acquisition: Acquisition = DEMO
) -> NDArray[np.float32]:
    """Return sigma0 without speckle as linear power, (band, y, x) for VV and VH.

    Args:
        ground: the ground of a window, with a margin of `margin_px`.
        at: positions of its pixels, (y, x).
        seed: seed of the landscape.
        acquisition: season, wet soil and geometry.
    """
    seen = surface(ground)
    grain = gradient_noise(at, 35, seed + 310)
    offset_db = 2.4 * (seen.variation - 0.5) + 6 * ROUGHNESS[seen.soil] * grain
    table = backscatter_table(acquisition.season)
    values = blended(table, ground, seen, (10 ** (offset_db / 10)).astype(np.float32))
    wind = smooth_step(gradient_noise(at, 4000, seed + 311), -0.6, 0.8)
    mix_turbid_water(values, table, ground, wind)
    if acquisition.wet_share:
        values *= wet_gain(ground, wetness(ground, at, acquisition.wet_share, seed))
    if acquisition.incidence_deg != INCIDENCE_DEG:
        values *= incidence_gain(ground, acquisition.incidence_deg)
    values *= _double_bounce(ground)
    if acquisition.layover:
        values = _with_layover(values, ground, acquisition)
    values *= 10 ** (0.06 * (ground.slope_east + 0.3 * ground.slope_north))
    return ndimage.gaussian_filter(values, (0, _BLUR_PX, _BLUR_PX), truncate=SPECKLE_MARGIN_PX / _BLUR_PX)


def _with_layover(values: NDArray[np.float32], ground: Ground, acquisition: Acquisition) -> NDArray[np.float32]:
    """Return the backscatter with tops of forests and houses displaced towards the sensor, and shadows behind them."""
    tall = np.where(ground.cover == GroundCover.FOREST, np.float32(1), np.float32(0.6) * ground.built)
    low = 1 - tall
    towards_sensor = -acquisition.layover
    angle = np.radians(acquisition.incidence_deg)
    reach = min(round(HEIGHT_M / np.tan(angle) / _PIXEL_M), LAYOVER_PX)
    shadow = np.roll(tall, -towards_sensor, axis=1) * low * np.float32(_SHADOW_LOSS)
    out: NDArray[np.float32] = values * (1 - shadow)
    for step in range(1, reach + 1):
        moved = step * towards_sensor
        out += _FRONT_SHARE * np.roll(values * tall, moved, axis=2) * low
    return out


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
