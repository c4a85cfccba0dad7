"""Quantities of a pixel by which a class is recognised: the bands, and indices where band names allow."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clairemap.artefacts.store_attributes import StoredSarScale
from clairemap.settings import Sensor

NIR = ("nir", "nir08", "B08", "B8A")
RED = ("red", "B04")
GREEN = ("green", "B03")

NDVI = "NDVI"
NDWI = "NDWI"
RATIO = "VV/VH"
"""Ratio of the polarisations; the difference of their decibels."""


def quantity_names(sensor: Sensor, bands: Sequence[str], scale: StoredSarScale) -> tuple[str, ...]:
    """Return the names of a sensor's quantities: its bands, NDVI and NDWI, or VV/VH if the values are decibels."""
    return (*bands, *(name for name, _, _ in _pairs(sensor, bands, scale)))


def quantities(
    sensor: Sensor, bands: Sequence[str], scale: StoredSarScale, values: NDArray[np.generic]
) -> NDArray[np.float64]:
    """Return the quantities of pixels, (quantity, pixel), in the order of `quantity_names`.

    NDVI is (nir - red) / (nir + red) (Rouse et al. 1974), NDWI (green - nir) / (green + nir) (McFeeters 1996), both
    within -1 to 1, and 0 where the sum is not positive.

    Args:
        sensor: sensor of the bands.
        bands: names of the bands.
        scale: scale of the SAR values.
        values: (band, pixel), finite, in units of the store.
    """
    exact = values.astype(np.float64)
    rows = [
        exact[first] - exact[second] if name == RATIO else _normalised_difference(exact[first], exact[second])
        for name, first, second in _pairs(sensor, bands, scale)
    ]
    return np.concatenate([exact, np.stack(rows)]) if rows else exact


def _pairs(sensor: Sensor, bands: Sequence[str], scale: StoredSarScale) -> list[tuple[str, int, int]]:
    """Return name and band positions of each index."""
    if sensor == "sar":
        vv, vh = _position(bands, ("vv",)), _position(bands, ("vh",))
        return [] if scale != "db" or vv is None or vh is None else [(RATIO, vv, vh)]
    nir = _position(bands, NIR)
    if nir is None:
        return []
    red, green = _position(bands, RED), _position(bands, GREEN)
    ndvi = [] if red is None else [(NDVI, nir, red)]
    return [*ndvi, *([] if green is None else [(NDWI, green, nir)])]


def _position(bands: Sequence[str], names: Sequence[str]) -> int | None:
    known = [band.casefold() for band in bands]
    return next((known.index(name.casefold()) for name in names if name.casefold() in known), None)


def _normalised_difference(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    total = first + second
    ratio = np.divide(first - second, total, out=np.zeros_like(total), where=total > 0)
    return np.clip(ratio, -1.0, 1.0)
