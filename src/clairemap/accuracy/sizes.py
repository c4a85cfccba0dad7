"""Size of a stratified sample, and its allocation to the strata.

Olofsson et al. 2014, "Good practices for estimating area and assessing accuracy of land change", Remote Sensing of
Environment 148, section 5.1 and equation 13.
"""

import numpy as np
from numpy.typing import NDArray

from clairemap.accuracy.estimators import Z_95, Values


def units_for(pixels: Values, shares: Values, half_width: float) -> int:
    """Return the units needed so that the 95 % interval of a share of the map has a half-width.

    Units are allocated in proportion to the strata, as in equation 13.

    Args:
        pixels: pixels of each stratum, (stratum,).
        shares: expected share of each stratum that counts, 0..1, (stratum,): for overall accuracy, of right pixels
            (user's accuracies); for the area of a class, of pixels of this class.
        half_width: half-width of the interval, as a share of the map.
    """
    weight = pixels / pixels.sum()
    spread = shares * (1 - shares)
    variance = (half_width / Z_95) ** 2
    needed = (weight @ np.sqrt(spread)) ** 2 / (variance + weight @ spread / pixels.sum())
    return int(np.ceil(needed))


def allocated(units: int, pixels: Values, at_least: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the units of each stratum: in proportion to its pixels, but `at_least` in each, and at most all pixels.

    Small strata get more than their share, and the others share the rest (section 5.1.2). The sum is larger than
    `units` if the minimum requires it. A larger number of units never gives a stratum fewer of them.

    Args:
        units: size of the whole sample.
        pixels: pixels of each stratum, (stratum,).
        at_least: fewest units in a stratum, one number or (stratum,).
    """
    most = pixels.astype(np.int64)
    least = np.minimum(at_least, most)
    proportional = np.ceil(units * pixels / pixels.sum()).astype(np.int64)
    fixed = proportional <= least
    free = max(units - int(least[fixed].sum()), 0)
    shared = np.ceil(free * np.where(fixed, 0, pixels) / max(pixels[~fixed].sum(), 1)).astype(np.int64)
    return np.clip(np.where(fixed, least, shared), least, most)
