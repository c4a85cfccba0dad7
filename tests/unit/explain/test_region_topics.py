from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from clairemap.artefacts.explanations import ExplainedTile, TileFacts
from clairemap.artefacts.metrics import RegionMetrics
from clairemap.explain.explainer import explain, texts
from clairemap.explain.language_model import LanguageModel
from clairemap.explain.region_topics import region_outline
from clairemap.metrics.calibration import Calibration
from clairemap.metrics.class_areas import ClassAreas
from clairemap.metrics.region_metrics import region_metrics
from clairemap.metrics.tally import Tally
from clairemap.report.weakness import weakness_text
from clairemap.settings import DEMO_CLASSES, ExplainSettings, LegendSettings

LEGEND = LegendSettings(classes=DEMO_CLASSES[:3], ignore=(0,))
GOOD = np.diag([5000, 3000, 900])


def metrics(confusion: np.ndarray, training_px: tuple[int, ...] = ()) -> RegionMetrics:
    counts = Tally(confusion, Calibration.empty(), unmapped_px=0, tiles=2)
    areas = ClassAreas(np.array([6000, 3000, 1000]), np.array([6e5, 3e5, 1e5]), "in the plane")
    sums = {("north", "test"): counts}
    return region_metrics("vale", sums, {("north", "fused"): counts}, areas, LEGEND, {}, training_px)


def tile(facts: TileFacts, row: int = 0) -> ExplainedTile:
    return ExplainedTile(scene="north", row=row, col=1, facts=facts, **dict(explain([facts])[0]))


def region_summary(metrics: RegionMetrics, tiles: Sequence[ExplainedTile]) -> list[str]:
    """Return the sentences that the template chooses."""
    outline = region_outline(metrics, tiles)
    assert outline is not None
    return [sentence.text for sentence in texts([outline])[0].sentences]


@pytest.fixture
def tiles(made: ModuleType) -> list[ExplainedTile]:
    unsure = made.plain_tile(confidence_sum=made.plain_tile().px * 0.5)
    clouded = made.plain_tile(cloud=8000, optical=8384, registration="weak")
    return [tile(made.facts_of(one), row) for row, one in enumerate([made.plain_tile(), unsure, clouded])]


def test_a_region_says_what_how_sure_why_and_what_to_check(tiles: list[ExplainedTile]):
    wrong = np.array([[5000, 0, 0], [0, 3000, 0], [300, 0, 600]])
    text = " ".join(region_summary(metrics(wrong), tiles))
    water, forest, grass = (entry.name for entry in LEGEND.classes)
    assert f"The largest classes by area are {water} (60 %) and {forest} (30 %)." in text
    assert f"The map also shows {grass}." in text
    assert "In 2 tiles with labels, 97 % of the labelled pixels agree with the labels." in text
    figures = (
        f"finds 67 % of the pixels labelled {grass}; of the labelled pixels mapped as {grass}, over 99 % are right"
    )
    assert f"The map is weakest for {grass}: it {figures}." in text
    assert f"Of the pixels labelled {grass}, 33 % are mapped as {water}." in text
    assert "Clouds hide at least a fifth of 1 of 3 tiles." in text
    assert "not aligned reliably in 1 of 3 tiles" in text
    assert "unsure (mean confidence below 60 %) in 1 of 3 tiles" in text
    assert f"First, look for {grass} that is mapped as another class: the map shows too little of it." in text
    assert "Check the tile with the lowest confidence first: row 1, column 1 of scene north." in text
    assert len(region_summary(metrics(wrong), tiles)) <= 10


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"sar": 0}, "The map is based on the optical image only, since no SAR pixel is usable."),
        ({"optical": 0}, "The map is based on SAR only, since no optical pixel is usable."),
    ],
)
def test_a_region_of_one_sensor_names_it_and_gives_the_other_no_weight(
    counts: dict[str, int], said: str, made: ModuleType
):
    alone = [tile(made.facts_of(made.plain_tile(**counts)), row) for row in range(2)]
    text = " ".join(region_summary(metrics(GOOD), alone))
    assert said in text and "weight" not in text


def test_counts_of_all_tiles_are_not_written_as_a_part(made: ModuleType):
    clouded = [tile(made.facts_of(made.plain_tile(cloud=8000, optical=8384)), row) for row in range(2)]
    assert "Clouds hide at least a fifth of each of the 2 tiles." in region_summary(metrics(GOOD), clouded)
    assert "Clouds hide at least a fifth of the only tile." in region_summary(metrics(GOOD), clouded[:1])


def test_summary_and_biggest_weakness_name_the_same_error(tiles: list[ExplainedTile]):
    false = metrics(np.array([[5000, 0, 0], [0, 2600, 400], [50, 0, 900]]))
    _, forest, grass = (entry.name for entry in LEGEND.classes)
    text = " ".join(region_summary(false, tiles))
    assert f"Of the labelled pixels mapped as {grass}, 31 % have the label {forest}." in text
    assert f"30.8 % of the pixels mapped as {grass} have the label {forest}." in weakness_text(false)


def test_a_good_region_has_no_weak_class(tiles: list[ExplainedTile]):
    text = " ".join(region_summary(metrics(GOOD), tiles[:1]))
    assert "weak" not in text and "over 99 % of the labelled pixels agree with the labels" in text


def test_missing_labels_and_training_are_said(tiles: list[ExplainedTile]):
    found = region_summary(metrics(np.zeros((3, 3), np.int64), (0, 10, 10)), tiles)
    assert found[0].startswith(f"Without training pixels of {LEGEND.classes[0].name}")
    assert "was not measured" in " ".join(found)


def test_nothing_mapped_gives_no_summary():
    assert region_outline(metrics(GOOD), []) is None


def test_a_model_chooses_the_sentences(make_phi: Callable[..., Path], tiles: list[ExplainedTile]):
    outline = region_outline(metrics(np.array([[5000, 0, 0], [0, 3000, 0], [300, 0, 600]])), tiles)
    assert outline is not None
    wordings = {wording: topic for topic in outline.topics for wording in topic.wordings}
    found = set()
    for seed in range(4):
        model = LanguageModel(str(make_phi(seed=seed)), ExplainSettings(), "cpu")
        (text,) = texts([outline], model)
        said = [wordings[sentence.text] for sentence in text.sentences]
        assert text.source == "model" and 3 <= len(said) == len(set(said)) <= 10
        assert {topic.key for topic in outline.topics if topic.required} <= {topic.key for topic in said}
        assert text.text == " ".join(sentence.text for sentence in text.sentences)
        found.add(text.text)
    assert len(found) > 1
