import numpy as np
import pytest

from clairemap.classes import LandCoverClass, Legend
from clairemap.explain.evidence import Measured, TilePixels, measure, spoken_names, tile_facts

LEGEND = Legend(
    tuple(LandCoverClass(code, name, "#000000") for code, name in enumerate(["water", "forest", "road"], 1))
)
PIXELS = TilePixels(all=1000, optical=900, sar=800, cloud=104)


def measured(class_px: list[int], confidence: float = 0.8, share: float = 50) -> Measured:
    px = np.array(class_px)
    return Measured(px, px * confidence, float(px.sum() * share))


def test_measures_the_mapped_pixels_only():
    probability = np.zeros((3, 2, 2), np.uint8)
    probability[:, 0, 0] = 200, 30, 25
    probability[:, 0, 1] = 100, 155, 0
    probability[:, 1, 0] = 51, 102, 102
    found = measure(probability, np.array([[100, 50], [0, 255]], np.uint8))
    assert found.class_px.tolist() == [1, 2, 0]
    assert found.class_confidence.tolist() == pytest.approx([200 / 255, (155 + 102) / 255, 0])
    assert found.optical_share == 150
    assert found.mapped_px == 3


def test_facts_are_shares_of_the_mapped_pixels_and_of_the_tile():
    facts = tile_facts(measured([200, 600, 0]), PIXELS, "weak", LEGEND)
    assert [(c.name, c.area_pct, c.confidence_pct) for c in facts.classes] == [
        ("forest", 75.0, 80),
        ("water", 25.0, 80),
    ]
    assert facts.mapped_pct == 80
    assert facts.cloud_pct == 10
    assert facts.optical_share_pct == 50
    assert facts.sensor == "both"
    assert facts.registration == "weak"
    assert facts.oa_pct is None
    assert facts.confusions == ()


def test_traces_of_a_class_are_left_out():
    facts = tile_facts(measured([99960, 40, 0]), PIXELS, "good", LEGEND)
    assert [c.name for c in facts.classes] == ["water"]


def test_labels_bring_accuracy_and_the_largest_confusions():
    confusion = 10 * np.array([[50, 0, 0], [10, 30, 10], [1, 0, 99]])
    facts = tile_facts(measured([100, 100, 100]), PIXELS, "good", LEGEND, confusion)
    assert facts.oa_pct == round(100 * 179 / 200)
    assert {c.name: c.iou for c in facts.classes} == {"water": 0.82, "forest": 0.6, "road": 0.9}
    assert [(pair.truth, pair.mapped, pair.pct) for pair in facts.confusions] == [
        ("forest", "water", 20),
        ("forest", "road", 20),
    ]


def test_classes_with_few_labelled_pixels_have_no_accuracy_of_their_own():
    confusion = np.array([[99, 1, 0], [20, 79, 0], [0, 0, 0]])
    facts = tile_facts(measured([300, 200, 100]), PIXELS, "good", LEGEND, confusion)
    assert {c.name: (c.iou, c.f1) for c in facts.classes} == {
        "water": (round(99 / 120, 2), round(198 / 219, 2)),
        "forest": (None, None),
        "road": (None, None),
    }
    assert facts.oa_pct == round(100 * 178 / 199)


def test_a_tile_without_labelled_pixels_has_no_accuracy():
    facts = tile_facts(measured([1, 0, 0]), PIXELS, "good", LEGEND, np.zeros((3, 3), np.int64))
    assert facts.oa_pct is None
    assert facts.classes[0].iou is None


def test_names_can_be_spoken_whatever_the_legend_calls_them():
    legend = Legend(tuple(LandCoverClass(code, name, "#000000") for code, name in [(1, " a{b}\n c "), (7, "--")]))
    assert spoken_names(legend) == ("a(b) c", "class 7")
