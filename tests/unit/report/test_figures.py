import base64
import re
from dataclasses import replace

import matplotlib as mpl
import pytest

from clairemap.artefacts.history import HistoryStep
from clairemap.artefacts.registration import Registration
from clairemap.registration.model import Displacement
from clairemap.report.content import Picture
from clairemap.report.figures import confusion_figure, registration_figure, training_figure

HISTORY = [
    HistoryStep(step, 0.5, 0.0, 1 / step, 0.5, 0.5, 1e-3, 1.0, 0.5 if step % 10 == 0 else None) for step in range(1, 41)
]


def svg(picture: Picture | None) -> str:
    assert picture is not None
    head, data = picture.source.split(",")
    assert head == "data:image/svg+xml;base64"
    return base64.b64decode(data).decode()


def texts(picture: Picture | None) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]+)</text>", svg(picture))


def test_confusion_shows_percent_of_each_row():
    shown = texts(confusion_figure([[50, 50, 0], [1, 999, 0], [0, 0, 0]], ["water", "forest", "road"]))
    assert shown.count("50") == 2
    assert shown.count("100") == 1  # 99.9, while the 0.1 is left out
    assert {"water", "forest", "road", "in the map", "in the labels"} <= set(shown)
    assert "nan" not in shown


def test_rows_of_a_handful_of_pixels_are_empty():
    shown = texts(confusion_figure([[0, 99], [30, 70]], ["water", "forest"]))
    assert {"30", "70"} <= set(shown)
    assert "100" not in shown


def test_training_shows_loss_and_validation():
    shown = texts(training_figure(HISTORY))
    assert {"step", "RIFT loss", "validation, %", "mIoU"} <= set(shown)
    assert "overall accuracy" not in shown


def test_training_without_validation_says_so():
    assert "not validated" in texts(training_figure([replace(step, val_miou=None) for step in HISTORY]))


def test_training_of_one_step_can_be_drawn():
    assert "<svg" in svg(training_figure(HISTORY[:1]))


def test_ties_are_drawn_in_two_colours(record: Registration):
    drawn = svg(registration_figure(record))
    assert "#2b6cb0" in drawn
    assert "#8a8f9c" in drawn


def test_a_scene_without_ties_has_no_picture(record: Registration):
    assert registration_figure(replace(record, ties=())) is None


def test_displacements_and_residuals_have_separate_scales(record: Registration):
    assert texts(registration_figure(record)) == ["bar: 5 px", "displacement", "bar: 0.2 px", "residual"]


def test_hundreds_of_pixels_leave_residuals_readable(record: Registration):
    ties = tuple(replace(tie, dx=tie.dx + 400) for tie in record.ties)
    far = replace(record, ties=ties, model=Displacement.of(record.model).shifted(0, 400), search="wide")
    assert texts(registration_figure(far)) == ["bar: 500 px", "displacement", "bar: 0.2 px", "residual"]


def test_ties_without_inliers_can_be_drawn(record: Registration):
    drawn = registration_figure(replace(record, ties=tuple(replace(tie, inlier=False) for tie in record.ties)))
    assert "#2b6cb0" not in svg(drawn)


def test_one_tie_alone_can_be_drawn(record: Registration):
    assert "<svg" in svg(registration_figure(replace(record, ties=record.ties[:1])))


@pytest.mark.parametrize(
    "draw", [lambda: confusion_figure([[3, 1], [0, 2]], ["a", "b"]), lambda: training_figure(HISTORY)]
)
def test_figures_are_repeatable_and_change_no_global_state(draw):  # noqa: ANN001
    before = dict(mpl.rcParams)
    assert draw() == draw()
    assert "<dc:date>" not in str(draw())  # it changes with the second
    assert dict(mpl.rcParams) == before
