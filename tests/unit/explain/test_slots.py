from types import ModuleType

import pytest

from clairemap.explain.prompt import EXAMPLE_FACTS
from clairemap.explain.slots import Slot, UnknownSlotError, fill, find_slot, slots_of

SLOTS = slots_of(EXAMPLE_FACTS)


def test_every_figure_has_a_slot_with_its_unit():
    assert {key: slot.text for key, slot in SLOTS.items()} == {
        "confidence_pct": "66 %",
        "optical_share_pct": "24 %",
        "cloud_pct": "31 %",
        "mapped_pct": "100 %",
        "oa_pct": "88 %",
        "area_pct.peatland": "54.2 %",
        "confidence_pct.peatland": "83 %",
        "iou.peatland": "0.81",
        "f1.peatland": "0.90",
        "area_pct.lichen": "45.8 %",
        "confidence_pct.lichen": "52 %",
        "iou.lichen": "0.60",
        "f1.lichen": "0.75",
        "confused_pct.lichen>peatland": "12 %",
    }


def test_without_labels_there_are_no_slots_for_accuracy(made: ModuleType):
    tiles = [made.made_facts(seed, made.LEGENDS[0]) for seed in range(20)]
    for facts in tiles:
        assert any(slot.kind in ("iou", "f1", "accuracy") for slot in slots_of(facts).values()) == (
            facts.oa_pct is not None
        )


def test_fills_slots_and_leaves_the_rest():
    assert fill("a {area_pct.lichen}, b {iou.lichen}.", SLOTS) == "a 45.8 %, b 0.60."
    assert fill("no slots", SLOTS) == "no slots"


def test_an_unknown_slot_is_a_fault():
    with pytest.raises(UnknownSlotError, match="area_pct.water"):
        fill("{area_pct.water}", SLOTS)


def test_capitals_and_spaces_in_a_slot_do_not_matter():
    assert find_slot(" Area_pct.Lichen ", SLOTS) == Slot("area", ("lichen",), "45.8 %")
    assert find_slot("area_pct.moss", SLOTS) is None
