import numpy as np
import pytest
from numpy.typing import ArrayLike

from clairemap.classes import IGNORE_INDEX
from clairemap.metrics.calibration import BINS, Calibration, calibration, expected_calibration_error
from clairemap.raster.most_probable import MostProbable


def counts_of(stored: ArrayLike, right: ArrayLike) -> Calibration:
    """Counts of pixels with these confidences, correct where `right`."""
    confidence = np.asarray(stored, np.uint8)
    index = np.where(right, 0, 1).astype(np.uint8)
    return calibration(np.zeros(confidence.shape, np.uint8), MostProbable(index, confidence))


@pytest.mark.parametrize(
    ("stored", "expected_bin"), [(1, 0), (17, 0), (18, 1), (34, 1), (238, 13), (239, 14), (255, 14)]
)
def test_bins_are_closed_above(stored: int, expected_bin: int):
    counts = counts_of([stored], [True])
    assert np.flatnonzero(counts.px).tolist() == [expected_bin]
    assert counts.confidence[expected_bin] == pytest.approx(stored / 255)


def test_equals_the_textbook_formula():
    rng = np.random.default_rng(1)
    confidence = rng.integers(1, 256, 5000, dtype=np.uint8)
    right = rng.random(5000) < 0.7
    p = confidence / 255
    expected = 0.0
    for b in range(BINS):
        inside = (p > b / BINS) & (p <= (b + 1) / BINS)
        expected += inside.mean() * abs(right[inside].mean() - p[inside].mean())
    assert expected_calibration_error(counts_of(confidence, right)) == pytest.approx(expected, abs=1e-12)


def test_certain_and_right_is_calibrated_certain_and_wrong_is_not():
    assert expected_calibration_error(counts_of([255, 255], [True, True])) == 0
    assert expected_calibration_error(counts_of([255, 255], [False, False])) == 1


def test_counts_add_up_and_skip_what_is_not_scored():
    first, second = counts_of([100, 200], [True, False]), counts_of([200], [True])
    total = first + second
    assert total.px.sum() == 3
    assert total.correct.sum() == 2
    unscored = calibration(
        np.array([IGNORE_INDEX, 0], np.uint8),
        MostProbable(np.array([0, IGNORE_INDEX], np.uint8), np.array([9, 0], np.uint8)),
    )
    assert unscored.px.sum() == 0


def test_is_undefined_without_pixels():
    assert np.isnan(expected_calibration_error(Calibration.empty()))
