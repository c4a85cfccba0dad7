"""Numbers per band as arrays, and another stretch of a sensor's bands."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clairemap.artefacts.statistics import BandStatistics
from clairemap.tiles.crops import Values


def band_column(numbers: Sequence[float]) -> Values:
    """Return a number per band as (band, 1, 1) float32."""
    return np.array(numbers, np.float32)[:, None, None]


def stretched(
    values: Values,
    contrast: NDArray[np.float32] | np.float32,
    brightness: NDArray[np.float32] | np.float32,
    statistics: BandStatistics,
) -> Values:
    """Return the bands (band, y, x) with other contrast and brightness.

    Args:
        values: in the units of the statistics.
        contrast: factor around the mean, one for all bands or (band, 1, 1).
        brightness: added standard deviations, likewise.
        statistics: of the training tiles.
    """
    mean, std = band_column(statistics.mean), band_column(statistics.std)
    out: Values = (values - mean) * contrast + (mean + brightness * std)
    return out
