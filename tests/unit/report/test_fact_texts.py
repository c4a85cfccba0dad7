import pytest

from clairemap.artefacts.explanations import ClassFacts, Confused, TileFacts
from clairemap.artefacts.model_card import UnseenScenes
from clairemap.artefacts.tile_reasons import (
    ClassReasons,
    Deviation,
    MayBeMissed,
    TileReasons,
    TrackRecord,
    WithoutSensor,
)
from clairemap.report.fact_texts import figures

FACTS = TileFacts(
    classes=(ClassFacts(name="a.b", area_pct=70.0, mapped_px=70, confidence_pct=85, iou=0.4),),
    confidence_pct=81,
    sensor="both",
    optical_share_pct=40,
    cloud_pct=None,
    mapped_pct=100,
    mapped_px=100,
    registration="good",
    confusions=(Confused(truth="a.b", mapped="water", pct=12),),
    unseen=("x", "y"),
    reasons=TileReasons(
        classes=(
            ClassReasons(
                name="a.b", px=70, optical_share_pct=20, runner_up="water", margin_pct=9, compared=True,
                unusual=(Deviation(quantity="red", sensor="optical", deviations=-2.5),),
                record=TrackRecord(from_pct=80, to_pct=90, right_pct=84, px=900),
                without=(WithoutSensor(sensor="sar", changed_pct=20, instead="water", instead_pct=15),),
            ),
        ),
        may_be_missed=(MayBeMissed(name="road", mapped_pct=1.0, expected_pct=3.5),),
        calibration_scenes=4,
        unseen=UnseenScenes(scenes=3, ece_before=0.07, ece_mean=0.04, ece_worst=0.09),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("confidence_pct", "mean confidence 81 %"),
        ("cloud_pct", "under cloud – %"),
        ("unseen", "classes without training pixels: x, y"),
        ("classes.a.b.iou", "a.b: IoU 0.4"),
        ("confusions.a.b.water", "12 % of a.b is mapped as water"),
        ("reasons.may_be_missed.road", "road: mapped 1.0 %, by the probabilities 3.5 %"),
        ("reasons.calibration_scenes", "confidences calibrated on 4 scene(s)"),
        ("reasons.unseen", "calibration error on 3 other scene(s): mean 4.0 %, worst 9.0 %"),
        ("reasons.classes.a.b.margin_pct", "a.b: probability 9 percentage points above that of water"),
        ("reasons.classes.a.b.unusual.red", "a.b: red -2.5 standard deviations from training"),
        (
            "reasons.classes.a.b.record",
            "a.b: 84 % of 900 validation pixels with confidences of 80 to 90 % were right",
        ),
        ("reasons.classes.a.b.without.sar", "a.b: 20 % changes without SAR, 15 % to water"),
    ],
)
def test_figures_have_their_names_and_units(key: str, text: str):
    assert figures(FACTS, (key,)) == [text]


def test_unknown_keys_are_left_out():
    assert figures(FACTS, ("classes.gone.iou", "later_fact", "mapped_pct")) == ["mapped 100 %"]
