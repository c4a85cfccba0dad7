import numpy as np
import pytest

from clairemap.training.validation import validation_scores


def test_scores_leave_out_absent_classes_but_not_invented_ones():
    matrix = np.array([[6, 2, 0, 0], [0, 2, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    scores = validation_scores(matrix)
    assert scores.miou == pytest.approx((6 / 8 + 2 / 4) / 2)
    assert scores.oa == pytest.approx(0.8)
    matrix[0, 3] = 2  # class 3 is mapped where it never is
    assert validation_scores(matrix).miou == pytest.approx((6 / 10 + 2 / 4 + 0) / 3)


def test_no_pixel_scores_nothing():
    scores = validation_scores(np.zeros((3, 3), np.int64))
    assert (scores.miou, scores.oa) == (0, 0)
