"""Counts of a tile that describe the pattern of its map: boundaries and entropy. Training does not need them."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from clairemap.classes import IGNORE_INDEX, PROBABILITY_ONE
from clairemap.metrics.boundary import BoundaryCounts, boundary_counts
from clairemap.raster.histogram import VALUES, histogram
from clairemap.raster.most_probable import most_probable

EXACT = 2.0**-20
"""Unit of the entropy's terms, bits: their sums are exact, so that they do not depend on the order of tiles."""


@dataclass(frozen=True)
class FinerCounts:
    """Boundary counts (`boundary.boundary_counts`) and entropy of scored pixels; they add up over tiles.

    `entropy` is the sum over the scored pixels of -sum(p log2 p) of their stored class probabilities, bits.
    """

    boundary: BoundaryCounts
    entropy: float

    @classmethod
    def empty(cls, classes: int) -> Self:
        """Return zero counts."""
        return cls(np.zeros((4, classes), np.int64), 0.0)

    def __add__(self, other: "FinerCounts") -> "FinerCounts":
        """Return the sum of two counts."""
        return FinerCounts(self.boundary + other.boundary, self.entropy + other.entropy)


def finer_counts(truth: NDArray[np.uint8], probability: NDArray[np.uint8], tolerance_px: int) -> FinerCounts:
    """Return the finer counts of one tile; arguments as for `tally.tally` and `boundary.boundary_counts`."""
    mapped = most_probable(probability).index
    scored = (truth != IGNORE_INDEX) & (mapped != IGNORE_INDEX)
    counted = histogram(probability * scored)
    return FinerCounts(boundary_counts(truth, mapped, len(probability), tolerance_px), float(counted @ _terms()))


def _terms() -> NDArray[np.float64]:
    """Return -p log2 p, bits, of each stored probability, rounded to multiples of `EXACT`."""
    p = np.arange(1, VALUES) / PROBABILITY_ONE
    return np.concatenate([[0.0], np.round(-p * np.log2(p) / EXACT) * EXACT])
