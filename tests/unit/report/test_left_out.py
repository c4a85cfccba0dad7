from dataclasses import replace

import pytest

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
        "Pictures of tiles": "0 of 9: the page has at most report.max_mb",
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
            interactive=Interactive({"maps": [{"not_in_choice": 2}]}, unread=("east",)),
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
    assert facts(without_labels)["Language model"].startswith("not used")
