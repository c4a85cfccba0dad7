"""Reflectance and backscatter of the materials by season; those in `materials` are of spring."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from clairemap.simulate.acquisition import Season
from clairemap.simulate.materials import BACKSCATTER, NUMBER, REFLECTANCE, Material

_STUBBLE = Material((13.5, 11.5, 8.2, 25.0), (-12.2, -19.2), 0.05)
_PLOUGHED = Material((8.6, 7.4, 5.6, 13.0), (-9.2, -17.6), 0.07)
_SEEDLINGS = Material((7.8, 8.6, 5.4, 22.0), (-12.0, -19.5), 0.05)

CHANGED: dict[Season, dict[str, Material]] = {
    "spring": {},
    "summer": {
        "cereals": _STUBBLE,
        "rape in bloom": _STUBBLE,
        "young maize": Material((4.0, 7.2, 3.6, 42.0), (-8.4, -14.0), 0.06),
        "meadow": Material((6.6, 8.8, 5.0, 31.0), (-13.5, -20.5), 0.06),
        "mown meadow": Material((10.5, 10.8, 7.0, 26.0), (-14.5, -22.0), 0.06),
        "garden": Material((6.2, 8.0, 5.0, 27.0), (-9.5, -15.0), 0.25),
    },
    "autumn": {
        "cereals": _PLOUGHED,
        "rape in bloom": Material((4.8, 8.2, 4.0, 33.0), (-12.4, -18.8), 0.05),
        "young maize": _STUBBLE,
        "light soil": _SEEDLINGS,
        "broadleaves": Material((6.8, 6.4, 3.4, 25.0), (-8.8, -14.0), 0.24),
        "garden": Material((6.6, 7.4, 4.6, 23.0), (-9.8, -15.4), 0.25),
    },
    "winter": {
        "cereals": _SEEDLINGS,
        "rape in bloom": Material((5.8, 7.8, 4.6, 24.0), (-12.6, -19.6), 0.05),
        "young maize": _PLOUGHED,
        "broadleaves": Material((6.0, 5.6, 4.4, 14.5), (-9.6, -15.6), 0.26),
        "meadow": Material((7.0, 7.8, 5.4, 21.0), (-12.6, -19.8), 0.06),
        "mown meadow": Material((8.6, 8.4, 6.2, 19.0), (-13.0, -20.4), 0.06),
        "garden": Material((7.0, 7.2, 5.4, 17.0), (-10.2, -16.2), 0.25),
    },
}
"""Materials that differ from those of spring."""


@cache
def reflectance_table(season: Season) -> NDArray[np.float32]:
    """Return the reflectance of the materials, (material, band)."""
    table = REFLECTANCE.copy()
    for name, material in CHANGED[season].items():
        table[NUMBER[name]] = np.array(material.reflectance_percent) / 100
    return table


@cache
def backscatter_table(season: Season) -> NDArray[np.float32]:
    """Return sigma0 of the materials as linear power, (material, band)."""
    table = BACKSCATTER.copy()
    for name, material in CHANGED[season].items():
        table[NUMBER[name]] = 10 ** (np.array(material.backscatter_db) / 10)
    return table
