import numpy as np
import pytest
import torch

from clairemap.training.validation import confusion, validation_scores


def test_confusion_counts_pairs_of_truth_and_map():
    rng = np.random.default_rng(0)
    truth, mapped = rng.integers(0, 4, (2, 3, 20, 30))
    truth[rng.random(truth.shape) < 0.3] = 255
    expected = np.zeros((4, 4), np.int64)
    known = truth != 255
    np.add.at(expected, (truth[known], mapped[known]), 1)
    found = confusion(torch.from_numpy(truth), torch.from_numpy(mapped), 4)
    assert found.dtype == torch.int64
    assert np.array_equal(found, expected)


def test_scores_leave_out_absent_classes_but_not_invented_ones():
    matrix = torch.tensor([[6, 2, 0, 0], [0, 2, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    scores = validation_scores(matrix)
    assert scores.miou == pytest.approx((6 / 8 + 2 / 4) / 2)
    assert scores.oa == pytest.approx(0.8)
    matrix[0, 3] = 2  # class 3 is mapped where it never is
    assert validation_scores(matrix).miou == pytest.approx((6 / 10 + 2 / 4 + 0) / 3)


def test_no_pixel_scores_nothing():
    scores = validation_scores(torch.zeros(3, 3, dtype=torch.int64))
    assert (scores.miou, scores.oa) == (0, 0)
