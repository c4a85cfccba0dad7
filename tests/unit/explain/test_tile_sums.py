import numpy as np
import pytest

from clairemap.artefacts.explanations import TileFacts
from clairemap.classes import LandCoverClass, Legend
from clairemap.explain.outline import Outline, template_sentences
from clairemap.explain.tile_sums import TilePixels, TileSums, names_in_texts, sensor_use, sum_tile, tile_facts
from clairemap.explain.tile_topics import tile_topics

LEGEND = Legend(
    classes=tuple(LandCoverClass(code=code, name=name) for code, name in enumerate(["water", "forest", "road"], 1))
)
PIXELS = TilePixels(all=1000, optical=900, sar=800, cloud=104)


def text_of(facts: TileFacts) -> str:
    return " ".join(sentence.text for sentence in template_sentences(Outline(tile_topics(facts))))


def measured(class_px: list[int], confidence: float = 0.8, share: float = 50) -> TileSums:
    px = np.array(class_px)
    return TileSums(px, px * confidence, float(px.sum() * share))


def test_measures_the_mapped_pixels_only():
    probability = np.zeros((3, 2, 2), np.uint8)
    probability[:, 0, 0] = 200, 30, 25
    probability[:, 0, 1] = 100, 155, 0
    probability[:, 1, 0] = 51, 102, 102
    found = sum_tile(probability, np.array([[100, 50], [0, 255]], np.uint8))
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


def test_labels_give_accuracy_and_the_largest_confusions():
    confusion = 10 * np.array([[50, 0, 0], [10, 30, 10], [1, 0, 99]])
    facts = tile_facts(measured([100, 100, 100]), PIXELS, "good", LEGEND, confusion)
    assert facts.oa_pct == round(100 * 179 / 200)
    assert {c.name: c.iou for c in facts.classes} == {"water": 0.82, "forest": 0.6, "road": 0.9}
    assert [(pair.truth, pair.mapped, pair.pct) for pair in facts.confusions] == [
        ("forest", "water", 20),
        ("forest", "road", 20),
    ]


def test_classes_with_few_labelled_pixels_have_no_accuracy():
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


def test_names_are_on_one_line_and_otherwise_as_they_are():
    names = [(1, " a{b}\n c "), (7, "--"), (8, "<|end|>")]
    legend = Legend(classes=tuple(LandCoverClass(code=code, name=name) for code, name in names))
    assert names_in_texts(legend) == ("a{b} c", "--", "<|end|>")


@pytest.mark.parametrize(
    ("optical", "cloud", "unknown", "known_pct", "unknown_pct"),
    [
        (1000, 0, 1000, None, 100),  # no mask
        (1000, 0, 0, 0, 0),  # a mask that shows none
        (1000, 0, 300, None, 30),  # a mask without clouds where it is known
        (700, 300, 200, 30, 20),  # a mask with clouds where it is known
        (0, 0, 0, None, 0),  # no optical image
        (0, 1000, 0, 100, 0),  # clouds everywhere
        (1000, 0, 4, 0, 0),  # a rim of nothing
    ],
)
def test_clouds_are_known_only_with_a_mask(
    optical: int, cloud: int, unknown: int, known_pct: int | None, unknown_pct: int
):
    pixels = TilePixels(all=1000, optical=optical, sar=1000, cloud=cloud, cloud_unknown=unknown)
    facts = tile_facts(measured([1, 0, 0]), pixels, "good", LEGEND)
    assert (facts.cloud_pct, facts.cloud_unknown_pct) == (known_pct, unknown_pct)
    assert (facts.clouds == "unknown") == (known_pct is None)


def test_a_class_of_the_labels_that_the_map_never_shows_counts_with_iou_0():
    confusion = np.array([[5000, 0, 0], [300, 0, 0], [99, 0, 0]])
    facts = tile_facts(measured([5399, 0, 0]), PIXELS, "good", LEGEND, confusion)
    assert [(c.name, c.area_pct, c.confidence_pct, c.iou) for c in facts.classes] == [
        ("water", 100.0, 80, 0.93),
        ("forest", 0.0, None, 0.0),
    ]
    assert facts.cover == "uniform"
    assert [c.name for c in facts.shown] == ["water"]
    assert [c.name for c in facts.missed] == ["forest"]
    assert "The labels contain forest, but the map shows none in this tile." in text_of(facts)


def test_a_good_overall_accuracy_does_not_hide_a_poor_class():
    confusion = np.array([[9700, 0, 0], [294, 6, 0], [0, 0, 0]])
    facts = tile_facts(measured([9994, 6, 0]), PIXELS, "good", LEGEND, confusion)
    assert facts.oa_pct == 97
    assert (facts.accuracy, facts.worst and facts.worst.name) == ("poor", "forest")
    assert "The map matches the labels poorly for forest: it finds 2 % of the pixels labelled forest;" in text_of(facts)


def test_a_class_with_a_small_share_of_the_labels_does_not_make_a_tile_poor():
    confusion = np.array([[20_000, 0, 0], [150, 0, 0], [0, 0, 0]])
    facts = tile_facts(measured([20_150, 0, 0]), PIXELS, "good", LEGEND, confusion)
    assert (facts.accuracy, facts.worst) == ("good", None)
    assert facts.classes[1].iou == 0.0
    assert "The labels contain forest" in text_of(facts)  # but it is said


def test_a_handful_of_pixels_gives_no_accuracy():
    confusion = np.array([[9000, 0, 0], [1, 0, 0], [50, 0, 48]])
    facts = tile_facts(measured([9051, 0, 48]), PIXELS, "good", LEGEND, confusion)
    assert facts.confusions == ()
    eleven = tile_facts(measured([11, 0, 0]), PIXELS, "good", LEGEND, np.diag([11, 0, 0]))
    assert (eleven.oa_pct, eleven.accuracy, eleven.labelled_px) == (None, None, 11)
    assert "too few labels" in text_of(eleven)
    assert "11" not in text_of(eleven)


def test_unseen_classes_are_named_if_labels_or_map_have_them():
    confusion = np.array([[900, 0, 0], [0, 0, 0], [7, 0, 0]])
    facts = tile_facts(measured([907, 0, 0]), PIXELS, "good", LEGEND, confusion, unseen=(1, 2))
    assert facts.unseen == ("road",)
    assert "Do not rely on this tile for road" in text_of(facts)
    mapped = tile_facts(measured([900, 7, 0]), PIXELS, "good", LEGEND, unseen=(1, 2))
    assert mapped.unseen == ("forest",)


def test_a_share_is_100_percent_only_if_complete():
    almost = tile_facts(measured([9999, 0, 0]), PIXELS, "good", LEGEND, np.array([[9998, 0, 0], [1, 0, 0], [0, 0, 0]]))
    assert almost.oa_pct == 99
    whole = tile_facts(measured([9999, 0, 0]), PIXELS, "good", LEGEND, np.diag([9999, 0, 0]))
    assert whole.oa_pct == 100


@pytest.mark.parametrize(
    ("share", "optical_px", "sar_px", "use"),
    [
        (100, 9, 0, "optical only"),
        (0, 0, 9, "SAR only"),
        (65, 9, 9, "mostly optical"),
        (64.9, 9, 9, "both"),
        (35.1, 9, 9, "both"),
        (35, 9, 9, "mostly SAR"),
    ],
)
def test_sensor_use(share: float, optical_px: int, sar_px: int, use: str):
    assert sensor_use(share, optical_px, sar_px) == use
