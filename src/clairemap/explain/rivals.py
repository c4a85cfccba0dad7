"""The second most probable class, and classes that the map may miss."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clairemap.classes import PROBABILITY_ONE
from clairemap.raster.most_probable import MostProbable, most_probable

MISSED_FACTOR = 1.5
"""Summed probability over mapped area from which a class may be missed."""

MISSED_SHARE = 0.01
"""Least difference between both, as a share of the mapped pixels."""


@dataclass(frozen=True)
class RunnerUp:
    """Most frequent second most probable class where one class is mapped, and mean difference of both (0..1)."""

    index: int
    margin: float


def runner_ups(probability: NDArray[np.uint8], mapped: MostProbable[np.uint8]) -> dict[int, RunnerUp]:
    """Return the runner-up of each mapped class, by class index.

    Args:
        probability: (class, y, x) in 1/255, at least 2 classes.
        mapped: most probable class of the same pixels.
    """
    classes = len(probability)
    rest = np.where(np.arange(classes, dtype=np.uint8)[:, None, None] == mapped.index, 0, probability)
    second = most_probable(rest.astype(np.uint8))
    found = {}
    for index in range(classes):
        here = mapped.index == index
        if not here.any():
            continue
        counts = np.bincount(second.index[here], minlength=classes)[:classes]
        gap = mapped.probability[here].astype(np.int16) - second.probability[here]
        # Where the mapped class has all of the probability, there is no second.
        runner_up = int(counts.argmax()) if counts.any() else (1 if index == 0 else 0)
        found[index] = RunnerUp(runner_up, float(gap.mean() / PROBABILITY_ONE))
    return found


def may_be_missed(probability: NDArray[np.uint8], class_px: NDArray[np.int64]) -> list[tuple[int, float, float]]:
    """Return index, mapped and expected share (0..1) of classes that may be missed, the largest difference first.

    The expected share is the sum of the probabilities: right for a calibrated network.

    Args:
        probability: (class, y, x) in 1/255; 0 in all classes where nothing is mapped.
        class_px: mapped pixels of each class; at least one in all.
    """
    total = int(class_px.sum())
    expected = probability.sum(axis=(1, 2), dtype=np.int64) / PROBABILITY_ONE / total
    mapped = class_px / total
    found = [
        (index, float(mapped[index]), float(expected[index]))
        for index in range(len(probability))
        if expected[index] >= MISSED_FACTOR * mapped[index] and expected[index] - mapped[index] >= MISSED_SHARE
    ]
    return sorted(found, key=lambda each: each[1] - each[2])
