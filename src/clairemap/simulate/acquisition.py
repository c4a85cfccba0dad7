"""How a simulated scene was acquired and delivered: season, air, wet soil, SAR geometry, misregistration, stretch.

`DEMO` is that of the demo's scenes. Others differ from scene to scene, as those of real products do.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtri

from clairemap.simulate.landscape import Ground, GroundCover
from clairemap.simulate.noise import NoiseField, Positions, fractal_noise, smooth_step, uniform

Season = Literal["spring", "summer", "autumn", "winter"]
Stretch = Literal["none", "scene", "block"]

INCIDENCE_DEG = 38.0
"""Incidence angle for which the materials' backscatter holds."""

LARGEST_SHIFT_PX = 8.0
HEIGHT_M = 18.0
"""Height of forest, for layover."""

DROP_DB_PER_DEG = {
    GroundCover.WATER: 0.5,
    GroundCover.FOREST: 0.07,
    GroundCover.GRASSLAND: 0.14,
    GroundCover.CROPLAND: 0.13,
    GroundCover.VILLAGE: 0.06,
    GroundCover.CITY: 0.05,
    GroundCover.ROAD: 0.3,
}
"""Decrease of backscatter per degree of incidence angle."""

_LOW_GROUND_STD = 0.235  # of the noise in `wetness`, which is nearly normal

WET_REFLECTANCE = (0.62, 0.62, 0.68, 0.55)
"""Reflectance of wet soil relative to dry soil, by band."""

WET_ROUGH_DB, WET_SMOOTH_DB = 2.5, -5.0
WET_SMOOTH_SHARE = 0.4
"""Wet soil is brighter in SAR, but darker where it is smooth: on this share of the parcels."""


@dataclass(frozen=True)
class Acquisition:
    """Season and geometry of a scene.

    `haze`: factor; `thin_cloud`: share of the scene under thin clouds that the cloud mask lacks; `wet_share`: share of
    fields and meadows with wet soil; `layover`: at the edges of forests and houses, with a sensor in the west (1) or
    east (-1), 0: none; `misregistered_px`: largest displacement of SAR along each axis, in addition to the recipe's,
    different from place to place; the stretches are to 8 bits, by scene or by block of 256 px. `optical_white`: what
    becomes white, relative to the brightest ground.
    """

    season: Season = "spring"
    haze: float = 1.0
    thin_cloud: float = 0.0
    wet_share: float = 0.0
    incidence_deg: float = INCIDENCE_DEG
    layover: int = 0
    misregistered_px: float = 0.0
    optical_stretch: Stretch = "none"
    optical_white: float = 1.0
    sar_stretch: Stretch = "none"

    @classmethod
    def drawn(cls, seed: int) -> "Acquisition":
        """Return a random acquisition with 8-bit images; seeds that follow each other have different seasons."""
        random = np.random.default_rng(seed)
        season: tuple[Season, ...] = ("spring", "summer", "autumn", "winter")
        optical: tuple[Stretch, ...] = ("scene", "scene", "scene", "block")
        sar: tuple[Stretch, ...] = ("scene", "block")
        return cls(
            season=season[seed % len(season)],
            haze=float(random.uniform(0.3, 2.2)),
            thin_cloud=float(random.uniform(0, 0.3)),
            wet_share=float(random.uniform(0, 0.4)),
            incidence_deg=float(random.uniform(29, 46)),
            layover=int(random.choice((-1, 1))),
            misregistered_px=float(LARGEST_SHIFT_PX * random.uniform() ** 2),
            optical_stretch=optical[random.integers(len(optical))],
            optical_white=float(random.uniform(1, 2.2)),
            sar_stretch=sar[random.integers(len(sar))],
        )


DEMO = Acquisition()


def wetness(ground: Ground, at: Positions, share: float, seed: int) -> NoiseField:
    """Return how wet the soil of each pixel is, 0..1; 0 outside fields and meadows."""
    fields = (ground.cover == GroundCover.CROPLAND) | (ground.cover == GroundCover.GRASSLAND)
    low_ground = fractal_noise(at, 1500, 4, seed + 400) + 0.35 * (uniform(ground.parcel, 47) - 0.5)
    level = -_LOW_GROUND_STD * float(ndtri(share))
    return np.where(fields, smooth_step(low_ground, level - 0.06, level + 0.06), np.float32(0))


def wet_gain(ground: Ground, wet: NoiseField) -> NoiseField:
    """Return the factor of the backscatter of wet soil."""
    smooth = uniform(ground.parcel, 48) < WET_SMOOTH_SHARE
    gain: NoiseField = (10 ** (wet * np.where(smooth, WET_SMOOTH_DB, WET_ROUGH_DB) / 10)).astype(np.float32)
    return gain


def incidence_gain(ground: Ground, incidence_deg: float) -> NoiseField:
    """Return the factor of the backscatter at an incidence angle."""
    drop = np.zeros(256, np.float32)
    for cover, rate in DROP_DB_PER_DEG.items():
        drop[cover] = rate
    gain: NoiseField = (10 ** (-drop[ground.cover] * (incidence_deg - INCIDENCE_DEG) / 10)).astype(np.float32)
    return gain
