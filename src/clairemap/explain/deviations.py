"""Values of a tile compared with those of training."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clairemap.artefacts.model_card import BandScale
from clairemap.artefacts.statistics import ClassSignatures
from clairemap.artefacts.store_attributes import StoredSarScale
from clairemap.artefacts.tile_reasons import Deviation
from clairemap.settings import Sensor
from clairemap.tiles.quantities import quantities
from clairemap.validity import Mask

UNUSUAL_DEVIATIONS = 2.0
"""Difference from the mean of training from which values are unusual, standard deviations of training."""

MIN_PX = 100
"""Least number of pixels of a mean, in the tile and in training."""

MIN_SEEN_SHARE = 0.5
"""Least share of a class's pixels that a sensor must see: the few pixels between clouds say little about the others."""


@dataclass(frozen=True)
class SensorValues:
    """Values of one sensor in a tile: (band, y, x) in units of the store, and where they are usable (y, x)."""

    sensor: Sensor
    bands: tuple[str, ...]
    scale: StoredSarScale
    values: NDArray[np.generic]
    usable: Mask


def unusual_for_class(seen: SensorValues, here: Mask, index: int, known: ClassSignatures) -> list[Deviation] | None:
    """Return the quantities of a class's pixels that are unusual for the class, the largest difference first.

    Args:
        seen: values of the tile.
        here: pixels of the class (y, x).
        index: of the class.
        known: signatures of training.

    Returns:
        None if there are too few pixels, here or in training, to compare.
    """
    chosen = here & seen.usable
    if known.px[index] < MIN_PX or np.count_nonzero(chosen) < max(MIN_PX, MIN_SEEN_SHARE * np.count_nonzero(here)):
        return None
    means = quantities(seen.sensor, seen.bands, seen.scale, seen.values[:, chosen]).mean(axis=1)
    return list(_unusual(seen.sensor, known.quantities, means, known.mean[index], known.std[index]))


def shifted_bands(seen: SensorValues, known: BandScale) -> list[Deviation]:
    """Return the bands of a tile whose mean is unusual among all training pixels, the largest difference first."""
    if np.count_nonzero(seen.usable) < MIN_PX:
        return []
    means = seen.values[:, seen.usable].mean(axis=1, dtype=np.float64)
    return list(_unusual(seen.sensor, known.names, means, known.mean, known.std))


def _unusual(
    sensor: Sensor, names: Sequence[str], means: NDArray[np.float64], known: Sequence[float], std: Sequence[float]
) -> Iterator[Deviation]:
    spread = np.asarray(std)
    off = np.divide(means - np.asarray(known), spread, out=np.zeros_like(means), where=spread > 0)
    for place in np.argsort(-np.abs(off), kind="stable"):
        if abs(off[place]) >= UNUSUAL_DEVIATIONS:
            yield Deviation(quantity=names[place], sensor=sensor, deviations=round(float(off[place]), 1))
