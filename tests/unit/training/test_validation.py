import numpy as np
import pytest
import torch

from clairemap.metrics.calibration import Calibration, calibration
from clairemap.metrics.decision import decide
from clairemap.nets.probability import stored_probability
from clairemap.training.validation import validation_scores

NOTHING = Calibration.empty()


def test_scores_leave_out_absent_classes_but_not_invented_ones():
    matrix = np.array([[6, 2, 0, 0], [0, 2, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    scores = validation_scores(matrix, NOTHING)
    assert scores.miou == pytest.approx((6 / 8 + 2 / 4) / 2)
    assert scores.oa == pytest.approx(0.8)
    matrix[0, 3] = 2  # class 3 is mapped where it never is
    assert validation_scores(matrix, NOTHING).miou == pytest.approx((6 / 10 + 2 / 4 + 0) / 3)


def test_no_pixel_has_no_score_rather_than_a_bad_one():
    scores = validation_scores(np.zeros((3, 3), np.int64), NOTHING)
    assert np.isnan([scores.miou, scores.oa, scores.ece]).all()


def test_the_calibration_error_is_that_of_the_stored_confidences():
    logits = torch.log(torch.tensor([[[0.8, 0.8, 0.8, 0.8]], [[0.2, 0.2, 0.2, 0.2]]]))
    truth = np.array([[0, 0, 1, 1]], np.uint8)
    counts = calibration(truth, decide(stored_probability(logits)))
    assert validation_scores(np.array([[2, 0], [2, 0]]), counts).ece == pytest.approx(0.8 - 0.5)
