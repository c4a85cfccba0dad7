import pytest

from clairemap.artefacts.explanations import ClassFacts, TileFacts
from clairemap.explain.caveats import required_caveats
from clairemap.explain.check import Checker

FACTS = TileFacts(
    classes=(
        ClassFacts(name="clouds", area_pct=62.4, confidence_pct=91),
        ClassFacts(name="water", area_pct=37.6, confidence_pct=70),
    ),
    confidence_pct=83,
    sensor="both",
    optical_share_pct=51,
    cloud_pct=0,
    mapped_pct=100,
    registration="good",
)
TEXT = "The class clouds covers {area_pct.clouds}."


def missing(facts: TileFacts, added: str) -> list[str]:
    found = Checker(facts, ("clouds", "water", "road")).slotted_faults(f"{TEXT} {added}")
    return [text.removeprefix("A caveat is missing: ") for text in found if text.startswith("A caveat")]


def test_a_good_tile_needs_none():
    assert list(required_caveats(FACTS)) == []
    assert missing(FACTS, "") == []


def test_every_caveat_of_the_facts_is_required():
    hard = FACTS.model_copy(
        update={"confidence_pct": 40, "sensor": "SAR only", "cloud_pct": 30, "registration": "rejected"}
    )
    assert missing(hard, "") == [what for what, _ in required_caveats(hard)]
    assert len(missing(hard, "")) == 4


@pytest.mark.parametrize(
    ("update", "sentence", "given"),
    [
        ({"confidence_pct": 40}, "The mean confidence is low.", True),
        ({"confidence_pct": 40}, "The confidence is {confidence_pct}.", False),
        ({"confidence_pct": 40}, "Confidence is lowest for water.", False),
        ({"sensor": "SAR only"}, "The map rests on the radar image alone.", True),
        ({"sensor": "SAR only"}, "The map rests on the radar image.", False),
        ({"sensor": "optical only"}, "Only the optical image is usable.", True),
        ({"sensor": "optical only"}, "Only the radar image is usable.", False),
        ({"cloud_pct": 9}, "Clouds hide part of the optical image.", True),
        ({"cloud_pct": 9}, "Water lies beside clouds.", False),
        ({"registration": "weak"}, "The alignment of the images is poor.", True),
        ({"registration": "weak"}, "The alignment of the images matters.", False),
        ({"registration": "rejected"}, "The registration was rejected.", True),
        ({"registration": "rejected"}, "The registration was done.", False),
    ],
)
def test_which_sentences_count(update: dict[str, object], sentence: str, given: bool):
    assert (missing(FACTS.model_copy(update=update), sentence) == []) is given
