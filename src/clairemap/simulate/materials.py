"""Materials of the ground: reflectance and backscatter.

No sensor separates all classes. Optical: cereals resemble meadows, soil resembles asphalt and roofs. SAR: smooth soil
resembles meadows, rape in bloom resembles trees.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clairemap.simulate.landscape import Ground, GroundCover
from clairemap.simulate.noise import NoiseField, uniform

OPTICAL_BANDS = ("red", "green", "blue", "nir")
SAR_BANDS = ("VV", "VH")


@dataclass(frozen=True)
class Material:
    """Reflectance in percent of the optical bands, and sigma0 in dB of the SAR bands."""

    reflectance_percent: tuple[float, float, float, float]
    backscatter_db: tuple[float, float]
    roughness: float  # relative contrast of the texture within a field or stand


MATERIALS = {
    "clear water": Material((2.0, 3.6, 4.4, 1.2), (-20.0, -28.0), 0.03),
    "turbid water": Material((5.2, 6.4, 5.0, 2.4), (-19.0, -27.0), 0.03),
    "conifers": Material((2.1, 3.6, 2.3, 21.0), (-9.0, -14.0), 0.22),
    "broadleaves": Material((2.8, 5.4, 2.7, 34.0), (-8.2, -13.0), 0.20),
    "meadow": Material((4.8, 8.3, 4.0, 36.0), (-13.0, -20.0), 0.06),
    "mown meadow": Material((7.6, 10.0, 5.4, 29.0), (-14.0, -21.5), 0.06),
    "cereals": Material((4.3, 7.8, 3.7, 38.0), (-10.2, -16.8), 0.05),
    "rape in bloom": Material((11.5, 14.0, 4.4, 41.0), (-8.6, -13.6), 0.05),
    "young maize": Material((9.6, 9.6, 6.6, 26.0), (-10.5, -17.5), 0.07),
    "light soil": Material((15.5, 12.5, 9.0, 22.0), (-13.0, -20.5), 0.06),
    "dark soil": Material((9.2, 8.0, 6.0, 14.5), (-10.0, -18.5), 0.06),
    "garden": Material((5.2, 7.6, 4.4, 30.0), (-9.5, -15.0), 0.25),
    "yard": Material((10.5, 10.6, 9.6, 15.5), (-10.5, -18.0), 0.12),
    "red roof": Material((17.0, 12.0, 9.5, 21.0), (-4.0, -12.0), 0.10),
    "grey roof": Material((13.0, 13.2, 12.8, 16.5), (-2.0, -9.5), 0.10),
    "white roof": Material((31.0, 32.0, 32.5, 34.0), (0.0, -9.0), 0.06),
    "asphalt": Material((10.2, 10.4, 9.8, 13.0), (-17.0, -25.0), 0.04),
}
NUMBER = {name: number for number, name in enumerate(MATERIALS)}
REFLECTANCE = (np.array([m.reflectance_percent for m in MATERIALS.values()]) / 100).astype(np.float32)
BACKSCATTER = (10 ** (np.array([m.backscatter_db for m in MATERIALS.values()]) / 10)).astype(np.float32)
ROUGHNESS = np.array([m.roughness for m in MATERIALS.values()], np.float32)

_CROPS = (("cereals", 0.38), ("rape in bloom", 0.14), ("young maize", 0.16), ("light soil", 0.18), ("dark soil", 0.14))

MaterialMap = NDArray[np.uint8]
"""Material numbers: rows of `REFLECTANCE`, `BACKSCATTER` and `ROUGHNESS`."""


@dataclass(frozen=True)
class Surface:
    """The materials of the pixels: ground, and roofs that cover part of it."""

    soil: MaterialMap
    roof: MaterialMap
    variation: NoiseField  # random number in [0, 1), constant within a field, stand or plot


def surface(ground: Ground) -> Surface:
    """Return the materials of the ground."""
    variation = np.select(
        [
            ground.cover == GroundCover.WATER,
            ground.cover == GroundCover.FOREST,
            (ground.cover == GroundCover.VILLAGE) | (ground.cover == GroundCover.CITY),
        ],
        [np.full(ground.cover.shape, 0.5), uniform(ground.stand, 51), uniform(ground.plot, 51)],
        uniform(ground.parcel, 51),
    ).astype(np.float32)
    return Surface(_soil(ground), _roof(ground), variation)


def _soil(ground: Ground) -> MaterialMap:
    yards = uniform(ground.plot, 42) < 0.6
    return np.select(
        [ground.cover == code for code in GroundCover],
        [
            np.full(ground.cover.shape, NUMBER["clear water"]),
            np.where(uniform(ground.stand, 43) < 0.55, NUMBER["conifers"], NUMBER["broadleaves"]),
            np.where(uniform(ground.parcel, 44) < 0.35, NUMBER["mown meadow"], NUMBER["meadow"]),
            _crop(uniform(ground.parcel, 45)),
            np.full(ground.cover.shape, NUMBER["garden"]),
            np.where(yards, NUMBER["yard"], NUMBER["garden"]),
            np.full(ground.cover.shape, NUMBER["meadow"]),  # roadside; the road itself is in `Ground.paved`
        ],
    ).astype(np.uint8)


def _crop(chance: NoiseField) -> NDArray[np.int64]:
    limits = np.cumsum([share for _, share in _CROPS])
    numbers = np.array([NUMBER[name] for name, _ in _CROPS])
    return numbers[np.searchsorted(limits[:-1], chance, side="right")]


def _roof(ground: Ground) -> MaterialMap:
    chance = uniform(ground.plot, 46)
    in_city = ground.cover == GroundCover.CITY
    red = np.where(in_city, chance < 0.3, chance < 0.75)
    white = np.where(in_city, chance > 0.86, chance > 0.97)
    return np.select([red, white], [NUMBER["red roof"], NUMBER["white roof"]], NUMBER["grey roof"]).astype(np.uint8)


def blended(table: NDArray[np.float32], ground: Ground, seen: Surface, strength: NoiseField) -> NDArray[np.float32]:
    """Return the values of the pixels: means over their materials, weighted by area.

    Args:
        table: (material, band), `REFLECTANCE` or `BACKSCATTER`, linear.
        ground: the ground.
        seen: the materials of the ground.
        strength: (y, x) factor of the soil's value: variation between fields and stands, and texture.

    Returns:
        (band, y, x).
    """
    margin = ground.margin * 0.5 * (ground.cover == GroundCover.CROPLAND)
    free = 1 - ground.built - ground.paved - margin
    values: NDArray[np.float32] = np.moveaxis(table[seen.soil], -1, 0) * (strength * free)
    values += np.moveaxis(table[seen.roof], -1, 0) * ground.built
    for name, share in (("asphalt", ground.paved), ("meadow", margin)):
        values += table[NUMBER[name]][:, None, None] * share
    return values


def mix_turbid_water(
    values: NDArray[np.float32], table: NDArray[np.float32], ground: Ground, share: NoiseField
) -> None:
    """Mix a fraction `share` of turbid water into the water pixels of `values` (band, y, x), in place."""
    share = np.where(ground.cover == GroundCover.WATER, share, 0)
    values += share * (table[NUMBER["turbid water"]][:, None, None] - values)
