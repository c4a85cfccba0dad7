from dataclasses import replace

import pytest

from clairemap.artefacts.explanations import Source
from clairemap.artefacts.registration import Registration
from clairemap.report.content import Interactive, RegistrationRow, ReportContent
from clairemap.report.left_out import left_out
from clairemap.report.scene_inputs import SceneInput


def facts(page: ReportContent) -> dict[str, str]:
    return {fact.name: fact.value for fact in left_out(page)}


@pytest.fixture
def complete(content: ReportContent, record: Registration) -> ReportContent:
    """A page on which nothing is left out but pictures of tiles."""
    return replace(content, registrations=(RegistrationRow(record, None, None),), tiles=())


def test_reasons_are_given_for_what_is_missing(complete: ReportContent, record: Registration):
    assert facts(complete) == {
        "Pictures of tiles": "0 of 9: report.max_mb limits the page's size",
    }
    rejected = replace(record, scene="west", verdict="rejected", reason="few ties")
    alone = replace(record, scene="south", verdict="single_sensor")
    found = facts(
        replace(
            complete,
            registrations=(RegistrationRow(rejected, None, None, is_left_out=True), RegistrationRow(alone, None, None)),
            unmasked=("west",),
            metrics=complete.metrics.model_copy(update={"views": {}}),
            can_be_sampled=True,
            inputs=(SceneInput("south", "o.tif", "", "", "", "9 px", 4, 3),),
            interactive=Interactive({"maps": [{"scenes_without_picture": 2}]}, unread=("east",)),
        )
    )
    assert found["Comparison of the sensors"].startswith("metrics.compare_sensors is false")
    assert found["SAR not moved"] == "west (few ties)" and found["Scenes with one sensor"] == "south"
    assert found["Clouds unknown"] == "west" and found["Scenes without labels"] == "south"
    assert found["Areas with intervals"] == "there is no interpreted random sample"
    assert (
        found["Pictures of registrations"].startswith("of 1 scenes") and "of 2:" in found["Pictures of covered scenes"]
    )
    assert found["Scenes not on the map's layers"] == "east"


def test_without_labels_the_reason_is_given(without_labels: ReportContent):
    assert facts(without_labels)["Accuracy"] and "Comparison of the sensors" not in facts(without_labels)


def test_a_model_that_wrote_a_tile_not_shown_or_the_summary_is_used(content: ReportContent):
    template: frozenset[Source] = frozenset({"template"})
    assert facts(replace(content, tile_sources=template))["Language model"].startswith("not used")
    assert "Language model" not in facts(replace(content, tile_sources=template | {"model"}))
    assert "Language model" not in facts(replace(content, tile_sources=template, summary_source="model"))


def test_sensors_cannot_be_compared_where_each_test_scene_has_one(content: ReportContent, record: Registration):
    metrics = content.metrics.model_copy(update={"views": {}})
    rows = tuple(RegistrationRow(replace(record, verdict=verdict), None, None) for verdict in ("good", "single_sensor"))
    both, alone = (facts(replace(content, metrics=metrics, registrations=(row,))) for row in rows)
    assert both["Comparison of the sensors"].startswith("metrics.compare_sensors is false")
    assert alone["Comparison of the sensors"] == "each test scene with labels has one sensor only"
