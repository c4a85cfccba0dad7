"""Accuracy figures from a confusion matrix, and the words that define them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clairemap.metrics.confusion import Confusion

MIN_TRUTH_PX = 100
"""Labelled pixels below which nothing is said of a class, a tile or a scene: a handful of pixels proves nothing."""

DEFINITION = (
    "From one confusion matrix in pixels, summed over all tiles of the scope. IoU = TP / (TP + FP + FN); "
    "F1 = 2 TP / (2 TP + FP + FN); user's accuracy = TP / mapped; producer's accuracy = TP / truth; "
    "OA = correct / scored pixels. mIoU is the plain mean of the IoU over the classes that occur in the scope's "
    "labels or in its map: a class that is mapped without occurring in the labels counts 0, a class that occurs "
    "in neither is left out. Pixels without a label, with a label to ignore, or where no sensor of the view is "
    "usable are not scored; the last are counted as unmapped_px. `too_few` marks figures of a scope or a class with "
    f"fewer than {MIN_TRUTH_PX} labelled pixels: they say little. ECE: 15 bins of equal width over confidence. "
    "Each scene's own result is scored, before scenes are blended where they overlap; ground that two labelled scenes "
    "share counts in both."
)


@dataclass(frozen=True)
class ClassScores:
    """Figures of one class in 0..1, NaN where undefined, and its pixels in the labels and in the map."""

    iou: float
    f1: float
    users_accuracy: float
    producers_accuracy: float
    truth_px: int
    map_px: int


@dataclass(frozen=True)
class Scores:
    """Figures of a scope. `averaged` are the indices of the classes that mIoU is the mean of."""

    per_class: tuple[ClassScores, ...]
    averaged: tuple[int, ...]
    miou: float
    oa: float
    pixels: int


def scores(confusion: Confusion) -> Scores:
    """Return the figures of a confusion matrix; without pixels mIoU and OA are NaN. See DEFINITION."""
    right = np.diagonal(confusion)
    truth, mapped = confusion.sum(1), confusion.sum(0)
    iou = _ratio(right, truth + mapped - right)
    f1 = _ratio(2 * right, truth + mapped)
    users, producers = _ratio(right, mapped), _ratio(right, truth)
    averaged = np.flatnonzero(truth + mapped)
    pixels = int(confusion.sum())
    return Scores(
        per_class=tuple(
            ClassScores(
                float(iou[c]), float(f1[c]), float(users[c]), float(producers[c]), int(truth[c]), int(mapped[c])
            )
            for c in range(len(confusion))
        ),
        averaged=tuple(int(c) for c in averaged),
        miou=float(iou[averaged].mean()) if pixels else float("nan"),
        oa=int(right.sum()) / pixels if pixels else float("nan"),
        pixels=pixels,
    )


def well_labelled(confusion: Confusion) -> Confusion:
    """Return the indices of the classes with at least MIN_TRUTH_PX labelled pixels."""
    return np.flatnonzero(confusion.sum(1) >= MIN_TRUTH_PX)


def comparable_scores(confusion: Confusion) -> Scores:
    """Return the figures with mIoU over the well labelled classes alone, NaN without any.

    Of maps of the same pixels it averages the same classes, and no stray pixel of another class decides between them.
    """
    figures, classes = scores(confusion), well_labelled(confusion)
    ious = [figures.per_class[c].iou for c in classes]
    return replace(
        figures, averaged=tuple(int(c) for c in classes), miou=float(np.mean(ious)) if ious else float("nan")
    )


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    ratio = np.full(len(whole), np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio
