"""Sentences on reasons are true of the facts, and change with them."""

import pytest

from clairemap.artefacts.explanations import ClassFacts, TileFacts
from clairemap.artefacts.tile_reasons import (
    ClassReasons,
    Deviation,
    MayBeMissed,
    TileReasons,
    TrackRecord,
    WithoutSensor,
)
from clairemap.explain.tile_topics import tile_topics


def water(**changed: object) -> ClassReasons:
    typical: dict[str, object] = {"px": 6000, "optical_share_pct": 60, "runner_up": "crops", "margin_pct": 60}
    return ClassReasons(name="water", **{**typical, "compared": True, **changed})


def crops(**changed: object) -> ClassReasons:
    typical: dict[str, object] = {"px": 4000, "optical_share_pct": 60, "runner_up": "water", "margin_pct": 70}
    return ClassReasons(name="crops", **{**typical, "compared": True, **changed})


def roles(*classes: ClassReasons) -> dict[str, str]:
    """Return the role of each topic, by key."""
    return {topic.key: topic.role for topic in tile_topics(facts(*classes))}


def texts(*classes: ClassReasons, sensor: str = "both", **reasons: object) -> dict[str, tuple[str, ...]]:
    """Return the wordings of each topic, by key."""
    return {topic.key: topic.wordings for topic in tile_topics(facts(*classes, sensor=sensor, **reasons))}


def facts(*classes: ClassReasons, sensor: str = "both", **reasons: object) -> TileFacts:
    """Return the facts of a tile of 60 % water and 40 % crops."""
    return TileFacts(
        classes=(
            ClassFacts(name="water", area_pct=60, mapped_px=6000, confidence_pct=85),
            ClassFacts(name="crops", area_pct=40, mapped_px=4000, confidence_pct=88),
        ),
        confidence_pct=86,
        sensor=sensor,
        optical_share_pct=60,
        cloud_pct=0,
        mapped_pct=100,
        mapped_px=10_000,
        registration="good",
        reasons=TileReasons(classes=classes or (water(), crops()), **reasons),
    )


def change(sensor: str, pct: int, instead: str | None = "crops") -> WithoutSensor:
    return WithoutSensor(sensor=sensor, changed_pct=pct, instead=instead, instead_pct=pct)


def test_what_a_sensor_is_needed_for_is_said_with_its_share():
    found = texts(water(without=(change("optical", 2), change("sar", 31))), crops(without=(change("sar", 0, None),)))
    assert found["without sensor 1"][0] == "Without SAR, 31 % of the area mapped as water would be mapped as crops."
    assert "without sensor 2" not in found
    assert found["hardly changes without optical"] == (
        "Without the optical image, the map of this tile would hardly change.",
    )
    assert "hardly changes without sar" not in found


def test_a_small_class_that_needs_a_sensor_forbids_to_say_that_nothing_changes():
    small = crops(px=150, without=(change("sar", 40, "water"),))
    found = texts(water(without=(change("sar", 0, None),)), small)
    assert found["without sensor 1"][0].startswith("Without SAR, 40 % of the area mapped as crops")
    assert "hardly changes without sar" not in found


def test_changes_to_several_classes_name_the_share_of_the_one_named():
    one_of_two = WithoutSensor(sensor="sar", changed_pct=50, instead="crops", instead_pct=30)
    assert "30 %" in texts(water(without=(one_of_two,)))["without sensor 1"][0]


@pytest.mark.parametrize(
    ("deviations", "how"), [(2.34, "2.3 standard deviations above"), (-12.2, "12 standard deviations below")]
)
def test_unusual_values_are_said_with_direction_and_size(deviations: float, how: str):
    nir = Deviation(quantity="nir", sensor="optical", deviations=deviations)
    found = texts(water(unusual=(nir,)), crops())
    assert how in found["unusual class"][0]
    assert "water" in found["unusual class"][0]
    assert "check unusual" in found
    assert "typical class" not in found


def test_weights_of_sensors_answer_why_only_without_another_reason():
    assert roles()["sensors"] == "what"
    assert roles(water(compared=False), crops(compared=False))["sensors"] == "why"


def test_the_largest_class_is_typical_only_if_it_was_compared():
    assert "like water in the training images" in texts()["typical class"][0]
    assert "typical class" not in texts(water(compared=False), crops())


def test_a_shift_is_said_first_with_all_bands():
    bands = [Deviation(quantity=name, sensor="optical", deviations=off) for name, off in (("nir", 4.0), ("red", -2.2))]
    found = texts(shifted=tuple(bands))
    assert "nir values are 4.0 standard deviations above" in found["shifted bands"][0]
    assert "(red differs too)" in found["shifted bands"][0]
    six = [Deviation(quantity=name, sensor="optical", deviations=4.0) for name in "abcdef"]
    assert "(b, c, d and 2 other bands differ too)" in texts(shifted=tuple(six))["shifted bands"][0]


def test_a_close_decision_names_both_classes_and_what_to_check():
    found = texts(water(margin_pct=12), crops())
    assert found["runner-up"][0] == "Where water is mapped, crops is nearly as probable."
    assert found["check runner-up"][0] == "First, see whether areas mapped as water are in fact crops."
    assert "runner-up" not in texts()


def test_a_poor_record_is_preferred_to_that_of_the_largest_class():
    good, poor = (TrackRecord(from_pct=60, to_pct=70, right_pct=pct, px=500) for pct in (91, 58))
    found = texts(water(record=good), crops(record=poor))["track record"][0]
    assert found == "In validation, only 58 % of the pixels mapped as crops with similar confidence were right."
    found = texts(water(record=good), crops())["track record"][0]
    assert found == "In validation, 91 % of the pixels mapped as water with similar confidence were right."


def test_classes_that_may_be_missed_are_said_and_to_be_checked():
    road = MayBeMissed(name="road", mapped_pct=0, expected_pct=3.2)
    found = texts(may_be_missed=(road,))
    assert found["may be missed"][0] == (
        "There may be more road than the map shows: the probabilities add up to 3 %, but none is mapped."
    )
    assert found["check may be missed"][0] == "First, look for road that the map does not show."


def test_hardly_any_mapped_is_not_none():
    road = MayBeMissed(name="road", mapped_pct=0.04, expected_pct=3.2)
    assert "but less than 1 % is mapped" in texts(may_be_missed=(road,))["may be missed"][0]


def test_pattern_is_said_only_if_it_stands_out():
    found = texts(edge_pct=42, isolated_pct=7)
    assert "42 %" in found["many edges"][0]
    assert "7 %" in found["isolated pixels"][0]
    assert not {"many edges", "isolated pixels"} & texts(edge_pct=12, isolated_pct=1).keys()


def test_weight_by_class_is_said_if_it_differs_from_the_tile():
    found = texts(water(optical_share_pct=25), crops())
    assert "SAR" in found["weight by class"][0] and "75 %" in found["weight by class"][0]
    assert "weight by class" not in texts(water(optical_share_pct=25), crops(), sensor="optical only")


def test_nothing_measured_leaves_the_general_check():
    assert "check edges" in texts()
    assert "check edges" not in texts(may_be_missed=(MayBeMissed(name="road", mapped_pct=0, expected_pct=3),))
