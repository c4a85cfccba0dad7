"""Calibration error and conformal sets on left-out events, from the counts of the trainings."""

from collections.abc import Iterator, Sequence

import numpy as np
from accuracy_counts import ODDS_BINS, ODDS_RANGE, TEMPERATURES, Counts, calibration_error
from accuracy_figures import Networks
from numpy.typing import NDArray
from scipy.special import expit

NOMINAL_COVERAGE = 0.9

Histogram = NDArray[np.float64] | NDArray[np.int64]
"""Numbers in ODDS_BINS. Thresholds are positions on their edges, 0 to ODDS_BINS, linear in between."""


def calibration(networks: Networks, inner: Networks) -> dict[str, float | None]:
    """Return the calibration error on left-out events, mean over folds, seeds and events.

    `ece_unseen`: with the temperature of the training; `ece_unseen_inner`: with the one that suits the left-out events
    of the inner folds best; `ece_unseen_plain`: with temperature 1.
    """
    plain, chosen = 1 + TEMPERATURES.index(1.0), _inner_rows(inner)
    return {
        "ece_unseen": _mean_error(networks, [0] * len(networks)),
        "ece_unseen_inner": _mean_error(networks, chosen) if chosen else None,
        "ece_unseen_plain": _mean_error(networks, [plain] * len(networks)),
    }


def best_temperature(trainings: Sequence[Counts]) -> int:
    """Return the number in TEMPERATURES with the smallest mean negative log likelihood over all trainings."""
    return int(
        np.mean([of.arrays["nll"].sum(0) / of.arrays["bins"][:, 0, 0].sum() for of in trainings], 0)[1:].argmin()
    )


def conformal(networks: Networks, inner: Networks) -> dict[str, float | None]:
    """Return coverage and size of conformal sets on left-out events, mean over folds, seeds and events.

    The set of a pixel has all classes whose probability is at least a threshold; it may be empty.
    `conformal_coverage` is the share of pixels whose set has the label, `conformal_size` the mean number of classes,
    with the temperature of `ece_unseen_inner` and the threshold that covers NOMINAL_COVERAGE of the labels in the
    left-out events of the inner folds, each with the same weight (split-conformal, score 1 - probability of the label).
    `…_before`: nothing from held-out places; the temperature of the training and, for each event, the threshold that
    would cover NOMINAL_COVERAGE of its labels if its probabilities were right.
    `conformal_coverage_worst`: the lowest coverage of an event and seed.
    """
    before = [
        _covered(event, threshold(expected_labels(event[1])))
        for counts in (each for seeds in networks for each in seeds)
        for event in _of_events(counts, 0)
    ]
    after = _after(networks, inner)
    coverage, size = np.mean(after, 0).tolist() if after else (None, None)
    coverage_before, size_before = np.mean(before, 0).tolist()
    return {
        "conformal_coverage": coverage,
        "conformal_coverage_worst": min(after)[0] if after else None,
        "conformal_coverage_before": coverage_before,
        "conformal_size": size,
        "conformal_size_before": size_before,
    }


def _after(networks: Networks, inner: Networks) -> list[tuple[float, float]]:
    """Return coverage and size in each fold, seed and event with thresholds from the inner folds; empty without."""
    rows, found = _inner_rows(inner), []
    if rows is None:
        return []
    for seeds, trainings, row in zip(networks, inner, rows, strict=True):
        held_out = [labels / labels.sum() for counts in trainings for labels, _ in _of_events(counts, row)]
        limit = threshold(np.sum(held_out, 0))
        found += [_covered(event, limit) for counts in seeds for event in _of_events(counts, row)]
    return found


def threshold(labels: Histogram) -> float:
    """Return the highest threshold that NOMINAL_COVERAGE of the labels reach."""
    return float(np.interp(NOMINAL_COVERAGE * labels.sum(), _from_above(labels)[::-1], np.arange(ODDS_BINS, -1, -1)))


def expected_labels(classes: Histogram) -> NDArray[np.float64]:
    """Return the histogram of the labels' probabilities if the probabilities of all classes are right."""
    low, high = ODDS_RANGE
    inner = expit(np.linspace(low, high, 2 * ODDS_BINS - 3)[1::2])
    expected: NDArray[np.float64] = classes * np.concatenate([[0.0], inner, [1.0]])
    return expected


def _covered(event: NDArray[np.int64], limit: float) -> tuple[float, float]:
    """Return the share of the labels and the number of classes per pixel that reach a threshold, see `_of_events`."""
    labels, classes = (float(np.interp(limit, np.arange(ODDS_BINS + 1), _from_above(each))) for each in event)
    pixels = int(event[0].sum())
    return labels / pixels, classes / pixels


def _from_above(histogram: Histogram) -> NDArray[np.float64]:
    """Return the numbers above each edge."""
    above: NDArray[np.float64] = np.append(np.cumsum(histogram[::-1])[::-1], 0.0)
    return above


def _of_events(counts: Counts, row: int) -> Iterator[NDArray[np.int64]]:
    """Yield the histograms (2, bin) of labels and of all classes in each event, at a temperature."""
    for event in np.unique(counts.events):
        yield counts.arrays["odds"][counts.events == event, row].sum(0, dtype=np.int64)


def _inner_rows(inner: Networks) -> list[int] | None:
    """Return the place of the best temperature of each fold; None without inner folds."""
    return [1 + best_temperature(trainings) for trainings in inner] if all(inner) else None


def _mean_error(networks: Networks, rows: Sequence[int]) -> float:
    found = []
    for seeds, row in zip(networks, rows, strict=True):
        for counts in seeds:
            bins = counts.arrays["bins"][:, row]
            found += [calibration_error(bins[counts.events == event].sum(0)) for event in np.unique(counts.events)]
    return float(np.mean(found))
