import numpy as np
import pytest

from clairemap.classes import IGNORE_INDEX
from clairemap.metrics.finer_counts import FinerCounts, finer_counts


def test_entropy_is_that_of_the_scored_pixels():
    truth = np.array([[0, 1, 0, IGNORE_INDEX]], np.uint8)
    probability = np.zeros((2, 1, 4), np.uint8)
    probability[:, 0, 0] = 128, 127  # one bit
    probability[:, 0, 1] = 255, 0  # none
    probability[:, 0, 3] = 128, 127  # not labelled; pixel 2 is not mapped
    assert finer_counts(truth, probability, 1).entropy == pytest.approx(1, abs=1e-4)


def test_sums_are_exact_in_any_order():
    rng = np.random.default_rng(0)
    parts = [
        finer_counts(np.zeros((9, 9), np.uint8), rng.integers(0, 256, (3, 9, 9), dtype=np.uint8), 1) for _ in range(20)
    ]
    forward, backward = sum(parts, FinerCounts.empty(3)), sum(parts[::-1], FinerCounts.empty(3))
    assert forward.entropy == backward.entropy > 0
    np.testing.assert_array_equal(forward.boundary, backward.boundary)
