"""Accuracy figures of a confusion matrix."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clairemap.metrics.confusion import Confusion

MIN_TRUTH_PX = 100
"""Minimum number of labelled pixels for figures of a class, tile or scene to be reported."""


@dataclass(frozen=True)
class ClassScores:
    """Figures of one class (0..1, NaN if undefined), and its pixels in labels and map."""

    iou: float
    f1: float
    users_accuracy: float
    producers_accuracy: float
    truth_px: int
    map_px: int


@dataclass(frozen=True)
class Scores:
    """Figures of a scope (0..1); mIoU is the mean over the class indices `averaged`."""

    per_class: tuple[ClassScores, ...]
    averaged: tuple[int, ...]
    miou: float
    oa: float
    pixels: int


def scores(confusion: Confusion) -> Scores:
    """Return the figures of a confusion matrix (`region_metrics.DEFINITION`); without pixels, mIoU and OA are NaN."""
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


def well_labelled(confusion: Confusion) -> NDArray[np.intp]:
    """Return the indices of the classes with at least MIN_TRUTH_PX labelled pixels."""
    return np.flatnonzero(confusion.sum(1) >= MIN_TRUTH_PX)


def comparable_scores(confusion: Confusion) -> Scores:
    """Return the figures with mIoU over classes with at least MIN_TRUTH_PX labelled pixels, NaN without any.

    Maps scored on the same pixels then average the same classes, and stray pixels of other classes have no effect.
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
