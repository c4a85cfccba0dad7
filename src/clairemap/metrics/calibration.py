"""Calibration: how well the confidence of the map matches its accuracy."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from clairemap.classes import IGNORE_INDEX, PROBABILITY_ONE
from clairemap.raster.histogram import histogram
from clairemap.raster.most_probable import MostProbable

BINS = 15
VALUES_PER_BIN = PROBABILITY_ONE // BINS
"""Bin b covers confidences in (b/15, (b+1)/15], which are exactly 17 stored values."""


@dataclass(frozen=True)
class Calibration:
    """Sums per confidence bin, of shape (15,); they add up over tiles.

    `px` counts scored pixels, `correct` the correctly mapped ones; `confidence` sums their confidences (0..1).
    """

    px: NDArray[np.int64]
    correct: NDArray[np.int64]
    confidence: NDArray[np.float64]

    @classmethod
    def empty(cls) -> Self:
        """Return zero counts."""
        return cls(np.zeros(BINS, np.int64), np.zeros(BINS, np.int64), np.zeros(BINS, np.float64))

    def __add__(self, other: "Calibration") -> "Calibration":
        """Return the sum of two counts."""
        return Calibration(
            self.px + other.px,
            self.correct + other.correct,
            self.confidence + other.confidence,
        )


def calibration(truth: NDArray[np.uint8], mapped: MostProbable[np.uint8]) -> Calibration:
    """Return the counts of the pixels in a window that have both a label and a mapped class.

    Args:
        truth: class indices (y, x) of the labels, IGNORE_INDEX where unlabelled.
        mapped: the mapped classes of the window.
    """
    labelled = truth != IGNORE_INDEX
    right = labelled & (truth == mapped.index)
    # Confidence 0 marks pixels without class or, after the product, without label: bin 0 is dropped.
    px = histogram(mapped.probability * labelled)[1:]
    correct = histogram(mapped.probability * right)[1:]
    sums = px * (np.arange(1, PROBABILITY_ONE + 1) / PROBABILITY_ONE)
    in_bins = (BINS, VALUES_PER_BIN)
    return Calibration(
        px.reshape(in_bins).sum(1),
        correct.reshape(in_bins).sum(1),
        sums.reshape(in_bins).sum(1),
    )


def expected_calibration_error(counts: Calibration) -> float:
    """Return the mean gap between confidence and accuracy over the bins, weighted by pixels; NaN without pixels.

    Guo et al. 2017, equation 5, with 15 bins of equal width.
    """
    total = int(counts.px.sum())
    if total == 0:
        return float("nan")
    return float(np.abs(counts.correct - counts.confidence).sum() / total)
