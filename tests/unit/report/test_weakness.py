from collections.abc import Callable

import numpy as np

from clairemap.report.content import ReportContent
from clairemap.report.weakness import weakness_text

Rescored = Callable[..., ReportContent]


def test_the_class_with_the_lowest_iou_is_named_with_its_largest_error(rescored: Rescored):
    confusion = np.array([[900, 100, 0], [50, 800, 0], [0, 600, 400]])
    text = weakness_text(rescored(confusion).metrics)
    assert text == "grassland has the lowest IoU, 40.0 %. 60.0 % of its labelled pixels are mapped as forest."


def test_false_pixels_count_too(rescored: Rescored):
    confusion = np.array([[3000, 900, 0], [0, 500, 0], [0, 0, 900]])
    text = weakness_text(rescored(confusion).metrics)
    assert text == "forest has the lowest IoU, 35.7 %. 64.3 % of the pixels mapped as forest have the label water."


def test_without_labels_nothing_is_said(rescored: Rescored):
    assert weakness_text(rescored(np.zeros((3, 3), np.int64)).metrics) == ""
