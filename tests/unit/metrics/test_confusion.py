import numpy as np
import pytest

from clairemap.classes import IGNORE_INDEX
from clairemap.errors import StoreError
from clairemap.metrics.confusion import confusion_matrix


def test_rows_are_truth_and_columns_the_map():
    truth = np.array([[0, 0, 1], [2, 2, 2]], np.uint8)
    mapped = np.array([[0, 1, 1], [2, 0, 2]], np.uint8)
    assert confusion_matrix(truth, mapped, 3).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 2]]


def test_unlabelled_or_unmapped_pixels_do_not_count():
    truth = np.array([IGNORE_INDEX, 0, IGNORE_INDEX, 1], np.uint8)
    mapped = np.array([0, IGNORE_INDEX, IGNORE_INDEX, 1], np.uint8)
    assert confusion_matrix(truth, mapped, 2).tolist() == [[0, 0], [0, 1]]


@pytest.mark.parametrize("classes", [2, 7, 15, 16, 64])
def test_equals_counting_pixel_by_pixel(classes: int):
    rng = np.random.default_rng(classes)
    truth, mapped = rng.integers(0, classes, (2, 40, 50), dtype=np.uint8)
    slow = np.zeros((classes, classes), np.int64)
    np.add.at(slow, (truth.ravel(), mapped.ravel()), 1)
    fast = confusion_matrix(truth, mapped, classes)
    assert fast.dtype == np.int64
    np.testing.assert_array_equal(fast, slow)


def test_adds_up_over_windows():
    rng = np.random.default_rng(0)
    truth, mapped = rng.integers(0, 5, (2, 64, 64), dtype=np.uint8)
    halves = confusion_matrix(truth[:20], mapped[:20], 5) + confusion_matrix(truth[20:], mapped[20:], 5)
    np.testing.assert_array_equal(halves, confusion_matrix(truth, mapped, 5))


@pytest.mark.parametrize(("truth", "mapped"), [(7, 0), (0, 9), (8, IGNORE_INDEX - 1), (3, 0), (16, 1), (0, 240)])
def test_rejects_indices_outside_the_legend(truth: int, mapped: int):
    with pytest.raises(StoreError, match="1 of 1 pixels have a class index of 3 or more"):
        confusion_matrix(np.array([truth], np.uint8), np.array([mapped], np.uint8), 3)


@pytest.mark.parametrize("classes", [15, 16])
def test_views_with_unscored_pixels_and_empty_arrays(classes: int):
    rng = np.random.default_rng(0)
    truth, mapped = rng.choice(np.array([0, 3, 14, IGNORE_INDEX], np.uint8), (2, 31, 17))
    found = confusion_matrix(truth[::2, 3:], mapped[::2, 3:], classes)
    pairs = zip(truth[::2, 3:].ravel(), mapped[::2, 3:].ravel(), strict=True)
    assert found.sum() == sum(t != IGNORE_INDEX and m != IGNORE_INDEX for t, m in pairs)
    assert found[3, 14] == np.count_nonzero((truth[::2, 3:] == 3) & (mapped[::2, 3:] == 14))
    assert not confusion_matrix(truth[:0], mapped[:0], classes).any()
