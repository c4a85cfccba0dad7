import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from clairemap.metrics.region_metrics import DEFINITION
from clairemap.metrics.scores import scores

MATRICES = arrays(np.int64, (4, 4), elements=st.integers(0, 50))


def test_figures_of_a_small_matrix():
    figures = scores(np.array([[6, 2], [1, 3]]))
    water, forest = figures.per_class
    assert (water.iou, forest.iou) == pytest.approx((6 / 9, 3 / 6))
    assert (water.f1, forest.f1) == pytest.approx((12 / 15, 6 / 9))
    assert (water.users_accuracy, forest.users_accuracy) == pytest.approx((6 / 7, 3 / 5))
    assert (water.producers_accuracy, forest.producers_accuracy) == pytest.approx((6 / 8, 3 / 4))
    assert (water.truth_px, water.map_px) == (8, 7)
    assert figures.miou == pytest.approx((6 / 9 + 3 / 6) / 2)
    assert figures.oa == pytest.approx(9 / 12)
    assert figures.pixels == 12


def test_a_class_in_neither_labels_nor_map_is_left_out():
    figures = scores(np.array([[5, 0, 0], [0, 0, 0], [0, 0, 5]]))
    assert figures.averaged == (0, 2)
    assert figures.miou == 1
    assert math.isnan(figures.per_class[1].iou)


def test_a_class_that_is_only_mapped_counts_zero():
    figures = scores(np.array([[4, 1], [0, 0]]))
    assert figures.averaged == (0, 1)
    assert figures.per_class[1].iou == 0
    assert math.isnan(figures.per_class[1].producers_accuracy)
    assert figures.miou == pytest.approx(0.4)


def test_no_pixels_give_nan():
    figures = scores(np.zeros((3, 3), np.int64))
    assert math.isnan(figures.miou)
    assert math.isnan(figures.oa)
    assert figures.averaged == ()


@settings(max_examples=50, deadline=None)
@given(MATRICES, st.permutations(range(4)))
def test_order_of_classes_has_no_effect(matrix: NDArray[np.int64], order: list[int]):
    ordered = scores(matrix[np.ix_(order, order)])
    assert ordered.miou == pytest.approx(scores(matrix).miou, nan_ok=True)
    assert ordered.oa == pytest.approx(scores(matrix).oa, nan_ok=True)


@settings(max_examples=50, deadline=None)
@given(MATRICES)
def test_f1_follows_from_iou_and_transposing_swaps_the_accuracies(matrix: NDArray[np.int64]):
    figures, swapped = scores(matrix), scores(matrix.T)
    for one, other in zip(figures.per_class, swapped.per_class, strict=True):
        assert one.f1 == pytest.approx(2 * one.iou / (1 + one.iou), nan_ok=True)
        assert one.users_accuracy == pytest.approx(other.producers_accuracy, nan_ok=True)
        assert one.iou == pytest.approx(other.iou, nan_ok=True)


def test_definition_covers_averaged_ignored_and_absent_classes():
    for word in ("unweighted mean IoU", "in neither is left out", "counts as 0", "are not scored"):
        assert word in DEFINITION
