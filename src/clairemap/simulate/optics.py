"""The optical sensor: reflectance of the ground under haze, clouds and cloud shadows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import ndtri

from clairemap.grid.window import Window
from clairemap.simulate.acquisition import DEMO, WET_REFLECTANCE, Acquisition, wetness
from clairemap.simulate.landscape import Ground
from clairemap.simulate.materials import ROUGHNESS, blended, mix_turbid_water, surface
from clairemap.simulate.noise import NoiseField, Positions, fractal_noise, gradient_noise, hashed, smooth_step, uniform
from clairemap.simulate.seasons import reflectance_table

CLEAR, CLOUD, SHADOW = 0, 1, 2
"""Codes of the cloud mask."""

BLUR_MARGIN_PX = 4  # radius of the sensor's blur
_BLUR_PX = 0.6
_SHADOW_M = (-420.0, 560.0)  # offset of a shadow from its cloud, east and north; the sun is in the south-east
_CLOUD_COLOR = np.array([0.78, 0.78, 0.80, 0.76], np.float32)[:, None, None]
_THIN_OPACITY = 0.5  # of the densest thin cloud
_HAZE_COLOR = np.array([0.060, 0.075, 0.105, 0.030], np.float32)[:, None, None]


@dataclass(frozen=True)
class Sky:
    """The atmosphere of a scene."""

    cloud_level: float  # noise above this level is cloud
    haze: float  # 0 (none) to 1 (dense)
    brightness: float  # of the sunlight, about 1
    seed: int
    thin_level: float | None = None  # noise above this level is thin cloud, which the mask lacks; None: there is none

    @classmethod
    def with_clouds(cls, share: float, at: Positions, seed: int, acquisition: Acquisition = DEMO) -> "Sky":
        """Return a sky with clouds over a fraction `share` of the positions, and haze and thin clouds as acquired."""
        level = float(np.quantile(_cloud_noise(at, seed), 1 - share))
        chance = uniform(np.array([seed], np.uint32), 61)[0], uniform(np.array([seed], np.uint32), 62)[0]
        thin = acquisition.thin_cloud
        thin_level = float(np.quantile(_thin_noise(at, seed), 1 - thin)) if thin else None
        haze = (0.35 + 0.5 * float(chance[0])) * acquisition.haze
        return cls(level, haze, 0.94 + 0.12 * float(chance[1]), seed, thin_level)


def _cloud_noise(at: Positions, seed: int) -> NoiseField:
    return fractal_noise(at.warped(900, 120, seed + 1), 2600, 6, seed)


def _thin_noise(at: Positions, seed: int) -> NoiseField:
    return fractal_noise(at.warped(1500, 300, seed + 51), 3400, 5, seed + 50)


def cloud_opacity(at: Positions, sky: Sky) -> NoiseField:
    """Return the opacity of clouds, 0..1."""
    return smooth_step(_cloud_noise(at, sky.seed) - sky.cloud_level, -0.05, 0.09)


def _shadow_depth(at: Positions, sky: Sky) -> NoiseField:
    return cloud_opacity(at.shifted(-_SHADOW_M[0], -_SHADOW_M[1]), sky)


def cloud_mask(at: Positions, sky: Sky) -> NDArray[np.uint8]:
    """Return an imperfect cloud mask: 0 clear, 1 cloud, 2 shadow.

    Edges are wrong by up to about two pixels, and the thinnest clouds are missing.
    """
    seen = at.warped(170, 25, sky.seed + 40)
    mask = np.where(_shadow_depth(seen, sky) > 0.35, SHADOW, CLEAR)
    return np.where(cloud_opacity(seen, sky) > 0.18, CLOUD, mask).astype(np.uint8)


def reflectance(
    ground: Ground, at: Positions, sky: Sky, seed: int, acquisition: Acquisition = DEMO
) -> NDArray[np.float32]:
    """Return the measured reflectance without noise.

    Args:
        ground: the ground of a window.
        at: positions of its pixels, (y, x).
        sky: the atmosphere.
        seed: seed of the landscape, for the texture of the ground.
        acquisition: season and wet soil.

    Returns:
        (band, y, x) reflectance of red, green, blue and near infrared, 0..1. The outer `BLUR_MARGIN_PX` pixels are not
        valid, because their neighbours are missing.
    """
    seen = surface(ground)
    grain = 0.7 * gradient_noise(at, 23, seed + 300) + 0.6 * gradient_noise(at, 90, seed + 301)
    strength = (0.86 + 0.28 * seen.variation) * (1 + ROUGHNESS[seen.soil] * grain)
    table = reflectance_table(acquisition.season)
    values = blended(table, ground, seen, strength.astype(np.float32))
    mix_turbid_water(values, table, ground, smooth_step(gradient_noise(at, 5000, seed + 302), -0.5, 0.7))
    if acquisition.wet_share:
        darker = 1 - np.array(WET_REFLECTANCE, np.float32)[:, None, None]
        values *= 1 - darker * wetness(ground, at, acquisition.wet_share, seed)
    values *= np.clip(1 + 0.07 * ground.slope_east - 0.05 * ground.slope_north, 0.7, 1.3)
    values = ndimage.gaussian_filter(values, (0, _BLUR_PX, _BLUR_PX), truncate=BLUR_MARGIN_PX / _BLUR_PX)
    return _through_air(values, at, sky)


def _through_air(values: NDArray[np.float32], at: Positions, sky: Sky) -> NDArray[np.float32]:
    light = sky.brightness * (1 - 0.62 * _shadow_depth(at, sky))
    haze = sky.haze * (0.6 + 0.4 * gradient_noise(at, 6500, sky.seed + 20))
    opacity = cloud_opacity(at, sky)
    billows = 1 + 0.13 * fractal_noise(at, 700, 4, sky.seed + 30)
    hazy: NDArray[np.float32] = values * light * (1 - 0.18 * haze) + _HAZE_COLOR * haze
    if sky.thin_level is not None:
        thin = _THIN_OPACITY * smooth_step(_thin_noise(at, sky.seed) - sky.thin_level, -0.05, 0.3)
        hazy += thin * (_CLOUD_COLOR * billows - hazy)
    hazy += opacity * (_CLOUD_COLOR * billows - hazy)
    return hazy


def digital_numbers(values: NDArray[np.float32], window: Window, seed: int) -> NDArray[np.uint16]:
    """Return reflectance with sensor noise times 10000, as integers of at least 1, because 0 is nodata."""
    rows = np.arange(window.y0, window.y1)[:, None] + np.zeros((1, window.width), np.int64)
    columns = np.arange(window.x0, window.x1)[None, :] + np.zeros((window.height, 1), np.int64)
    pixel = hashed(rows, columns, seed)
    noise = np.stack([ndtri(uniform(pixel, 70 + band).astype(np.float64) + 2**-25) for band in range(len(values))])
    noisy = values + (0.0015 + 0.012 * values) * noise
    return np.clip(np.rint(noisy * 10_000), 1, 20_000).astype(np.uint16)
