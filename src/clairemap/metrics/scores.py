"""Accuracy figures of a confusion matrix."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clairemap.metrics.confusion import Confusion

Pixels = NDArray[np.int64] | NDArray[np.float64]

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
    """Figures of a scope (0..1); mIoU and F1 are means over the class indices `averaged`."""

    per_class: tuple[ClassScores, ...]
    averaged: tuple[int, ...]
    miou: float
    f1: float
    oa: float
    pixels: int


@dataclass(frozen=True)
class Figures:
    """Figures of several matrices, leading axes as given; NaN where undefined.

    `iou` and `f1` have a last axis of classes. `miou` and `mean_f1` are means over the classes that are labelled or
    mapped.
    """

    iou: NDArray[np.float64]
    f1: NDArray[np.float64]
    miou: NDArray[np.float64]
    mean_f1: NDArray[np.float64]
    oa: NDArray[np.float64]


def figures_of(right: Pixels, truth: Pixels, mapped: Pixels) -> Figures:
    """Return the figures of correct, labelled and mapped pixels, each (…, class)."""
    iou, f1 = _ratio(right, truth + mapped - right), _ratio(2 * right, truth + mapped)
    occurs = truth + mapped > 0
    miou, mean_f1 = (_ratio(np.where(occurs, each, 0).sum(-1), occurs.sum(-1)) for each in (iou, f1))
    return Figures(iou, f1, miou, mean_f1, _ratio(right.sum(-1), truth.sum(-1)))


def scores(confusion: Confusion) -> Scores:
    """Return the figures of a confusion matrix (`region_metrics.DEFINITION`); without pixels, they are NaN."""
    right = np.diagonal(confusion)
    truth, mapped = confusion.sum(1), confusion.sum(0)
    figures = figures_of(right, truth, mapped)
    users, producers = _ratio(right, mapped), _ratio(right, truth)
    return Scores(
        per_class=tuple(
            ClassScores(
                float(figures.iou[c]),
                float(figures.f1[c]),
                float(users[c]),
                float(producers[c]),
                int(truth[c]),
                int(mapped[c]),
            )
            for c in range(len(confusion))
        ),
        averaged=tuple(int(c) for c in np.flatnonzero(truth + mapped)),
        miou=float(figures.miou),
        f1=float(figures.mean_f1),
        oa=float(figures.oa),
        pixels=int(confusion.sum()),
    )


def well_labelled(confusion: Confusion) -> NDArray[np.intp]:
    """Return the indices of the classes with at least MIN_TRUTH_PX labelled pixels."""
    return np.flatnonzero(confusion.sum(1) >= MIN_TRUTH_PX)


def comparable_scores(confusion: Confusion) -> Scores:
    """Return the figures with mIoU and F1 over classes with at least MIN_TRUTH_PX labelled pixels, NaN without any.

    Maps scored on the same pixels then average the same classes, and stray pixels of other classes have no effect.
    """
    figures = scores(confusion)
    classes = [int(c) for c in well_labelled(confusion)]
    miou, f1 = (
        float(np.mean([getattr(figures.per_class[c], name) for c in classes])) if classes else float("nan")
        for name in ("iou", "f1")
    )
    return replace(figures, averaged=tuple(classes), miou=miou, f1=f1)


def _ratio(part: Pixels | NDArray[np.float64], whole: Pixels) -> NDArray[np.float64]:
    ratio = np.full(np.shape(whole), np.nan)
    np.divide(part, whole, out=ratio, where=np.asarray(whole) > 0)
    return ratio
