import random
from collections.abc import Callable
from types import ModuleType

import pytest

from clairemap.artefacts.explanations import ClassFacts, TileFacts
from clairemap.explain.check import Checker
from clairemap.explain.prompt import EXAMPLE_ANSWER, EXAMPLE_FACTS
from clairemap.explain.template import template_text

CAUGHT_AT_LEAST = 0.99
FALSE_ALARMS_AT_MOST = 0.01
SEEDS = 25

LEGEND = ("water", "forest", "road", "city", "clouds")
FACTS = TileFacts(
    classes=(
        ClassFacts(name="water", area_pct=62.4, confidence_pct=91, iou=0.88, f1=0.94),
        ClassFacts(name="forest", area_pct=37.6, confidence_pct=70, iou=0.40, f1=0.57),
    ),
    confidence_pct=83,
    sensor="both",
    optical_share_pct=51,
    cloud_pct=0,
    mapped_pct=100,
    registration="good",
    oa_pct=88,
)
GOOD = "In this tile, water dominates with {area_pct.water}, followed by forest ({area_pct.forest})."


@pytest.fixture(scope="module")
def good_texts(made: ModuleType) -> list:
    """True texts with their checkers: the template's and others, over several legends."""
    texts = []
    for seed in range(SEEDS):
        for legend in made.LEGENDS:
            facts = made.made_facts(seed, legend)
            checker = Checker(facts, legend)
            texts += [
                (made.Good(facts, legend, text), checker)
                for text in (template_text(facts), made.other_words(facts, seed))
            ]
    return texts


def test_true_texts_pass(good_texts: list):
    alarms = [
        good.text
        for good, checker in good_texts
        if checker.slotted_faults(good.text) or checker.filled_faults(good.filled)
    ]
    assert len(alarms) <= FALSE_ALARMS_AT_MOST * len(good_texts), alarms[:3]


def caught(mutate: Callable, check: Callable, good_texts: list, at_least: int = 3) -> float:
    seen = []
    for number, (good, checker) in enumerate(good_texts):
        text = mutate(good, random.Random(number))
        if text is not None:
            seen.append(bool(check(checker, text)))
    assert len(seen) >= len(good_texts) // at_least
    return sum(seen) / len(seen)


@pytest.mark.parametrize(
    "kind",
    ["swapped slots", "wrong class", "negated dominance", "dropped caveat", "invented cause", "spelled-out number"],
)
def test_false_texts_with_slots_are_caught(kind: str, made: ModuleType, good_texts: list):
    assert caught(made.SLOTTED[kind], Checker.slotted_faults, good_texts) >= CAUGHT_AT_LEAST


@pytest.mark.parametrize("kind", ["unknown as clear", "better agreement", "other unseen class"])
def test_false_texts_on_what_few_tiles_have_are_caught(kind: str, made: ModuleType, good_texts: list):
    assert caught(made.SLOTTED[kind], Checker.slotted_faults, good_texts, at_least=10) >= CAUGHT_AT_LEAST


@pytest.mark.parametrize("kind", ["swapped numbers", "unit change", "off-by-one"])
def test_false_figures_in_filled_texts_are_caught(kind: str, made: ModuleType, good_texts: list):
    assert caught(made.FILLED[kind], Checker.filled_faults, good_texts) >= CAUGHT_AT_LEAST


def faults(text: str, facts: TileFacts = FACTS) -> list[str]:
    return Checker(facts, LEGEND).slotted_faults(text)


def test_the_examples_pass():
    assert faults(GOOD) == []
    assert Checker(EXAMPLE_FACTS, ("peatland", "lichen")).slotted_faults(EXAMPLE_ANSWER) == []


@pytest.mark.parametrize(
    ("added", "fault"),
    [
        ("It has 3 parts.", "The number '3' is not allowed"),
        ("It has ½ of it.", "The number '½' is not allowed"),
        ("The mean confidence is high, 83 %.", "The number '83 %' is not allowed"),
        ("The city is small.", "The class 'city' does not occur"),
        ("Cities lie nearby.", "The class 'cities' does not occur"),
        ("There is a desert.", "'desert' is neither a class of this tile nor a word for its facts"),
        ("Snowmelt hides the forest.", "'snowmelt' is neither a class of this tile nor a word for its facts"),
        ("The tile lies in Spain.", "'spain' is neither a class of this tile nor a word for its facts"),
        ("Water covers more than forest.", "'than' is neither a class of this tile nor a word for its facts"),
        ("The whole tile is water.", "'whole': no class covers the whole tile"),
        ("Water covers many hectares.", "The unit 'hectares' is not allowed"),
        ("Water covers two parts.", "The number word 'two' is not allowed"),
        ("Forest grew because of rain.", "'because' states a cause"),
        ("The area is {area_pct.road}.", "{area_pct.road} is not a figure of this tile"),
        ("Water covers {area_pct.forest}.", "{area_pct.forest} must directly follow its class"),
        ("Water covers {confidence_pct.water}.", "{confidence_pct.water} must directly follow its class"),
        ("For water the confidence is {confidence_pct}.", "{confidence_pct} must directly follow its class"),
        ("**Summary** of the tile.", "The character '*' is not allowed"),
        ("The confidence is not high.", "'not' negates a statement"),
        ("The confidence is low.", "'low' describes the confidence, but its level is high"),
        ("Agreement with the labels is poor.", "'poor' describes the agreement, but its level is good"),
        ("Clouds hide a part of it.", "Clouds are mentioned, but the tile has none"),
        ("The map rests on SAR alone.", "'alone' describes the SAR image, but the map relies on: both"),
        ("The map rests mostly on the optical image.", "'mostly' describes the optical image"),
        ("Forest has the largest share.", "'largest' describes forest"),
        ("Forest has the highest IoU.", "'highest' describes forest"),
        ("Water has the lowest confidence.", "'lowest' describes water"),
        ("The tile is uniform.", "'uniform': the tile has several classes"),
        ("Forest dominates the tile.", "'dominates' describes forest, but water has the largest share"),
        ("Water plays a minor part.", "'minor' describes water, which is not a small part"),
    ],
)
def test_each_fault_has_its_message(added: str, fault: str):
    found = faults(f"{GOOD} {added}")
    assert any(text.startswith(fault) for text in found), found


@pytest.mark.parametrize(
    "added",
    [
        "Its mean confidence is high at {confidence_pct}.",
        "The confidence of forest is medium, {confidence_pct.forest}.",
        "No clouds hide the optical image.",
        "Both sensors contribute, and the optical image has a weight of {optical_share_pct}.",
        "The highest IoU is that of water, {iou.water}.",
        "Water reaches an F1 score of {f1.water}, and forest {f1.forest}.",
        "Water lies beside forest.",
        "Overall, the confidence of the map is high with a mean of {confidence_pct}.",
        "The remaining area is forest ({area_pct.forest}).",
        "{oa_pct} of the labelled area agrees with the map, which is a good result.",
        "Forest, with an IoU of {iou.forest}, shows poor agreement.",
        "Forest is the least certain class with a confidence of {confidence_pct.forest}.",
        "Water is mapped reliably, with an IoU of {iou.water}.",
    ],
)
def test_true_sentences_pass(added: str):
    assert faults(f"{GOOD} {added}") == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "The text is empty"),
        ("Water lies here.", "The area of the largest class is missing: use {area_pct.water}"),
        (GOOD.removesuffix("."), "The text does not end with a full stop"),
        (" ".join([GOOD] * 40), "The text is longer than 1500 characters"),
    ],
)
def test_faults_of_the_whole_text(text: str, fault: str):
    assert fault in faults(text)


UNKNOWN = FACTS.model_copy(update={"cloud_pct": None, "cloud_unknown_pct": 100})
WORSE = FACTS.model_copy(
    update={
        "classes": tuple(c.model_copy(update={"label_pct": 50.0}) for c in FACTS.classes),
        "unseen": ("city",),
    }
)
SAID = (
    "Clouds in the optical image are unknown for {cloud_unknown_pct} of the tile.",
    "Agreement is poor: forest has an IoU of {iou.forest}. The training left out city.",
)


@pytest.mark.parametrize(
    ("facts", "said", "added", "fault"),
    [
        (UNKNOWN, SAID[0], "No clouds hide the optical image.", "'no' negates a statement"),
        (
            UNKNOWN,
            SAID[0],
            "The optical image is cloudless.",
            "The optical image is called clear, but its cloud cover is unknown",
        ),
        (
            UNKNOWN,
            SAID[0],
            "The optical image is clear.",
            "The optical image is called clear, but its cloud cover is unknown",
        ),
        (UNKNOWN, SAID[0], "Some clouds hide the forest.", "Clouds are mentioned, but cloud cover is unknown"),
        (UNKNOWN, "", "Water lies here.", "A caveat is missing: say that cloud cover is unknown"),
        (FACTS, "", "Clouds are unknown here.", "Clouds are called unknown, but a cloud mask covers the tile"),
        (UNKNOWN, SAID[0], "Clouds cover {cloud_unknown_pct} of it.", "{cloud_unknown_pct} must directly follow"),
        (
            WORSE,
            SAID[1],
            "Agreement with the labels is good.",
            "'good' describes the agreement, but its level is poor",
        ),
        (
            WORSE,
            SAID[1],
            "Agreement with the labels is good, and the IoU of water is {iou.water}.",
            "'good' describes the agreement, but its level is poor",
        ),
        (WORSE, SAID[1], "The IoU of forest is good.", "'good' describes the iou"),
        (WORSE, SAID[1], "The training left out water.", "'training' describes water, which is in the training data"),
        (WORSE, SAID[1], "The map misses water.", "'misses' describes water"),
        (WORSE, SAID[1].partition(".")[0], "", "A caveat is missing: say that city is unseen in training"),
        (WORSE, SAID[1].partition("} ")[2], "", "A caveat is missing: say that forest has an IoU of {iou.forest}"),
        (FACTS, "", "The training left out city.", "'training': the facts have nothing on the training"),
    ],
)
def test_false_claims_on_unknown_unseen_and_worst_classes_are_caught(
    facts: TileFacts, said: str, added: str, fault: str
):
    found = faults(f"{GOOD} {said} {added}", facts)
    assert any(text.startswith(fault) for text in found), found
    assert not said or not added or faults(f"{GOOD} {said}", facts) == []


def test_a_missing_mask_may_be_mentioned():
    text = f"{GOOD} Clouds in the optical image are unknown, because there is no cloud mask."
    assert faults(text.replace("because ", ""), UNKNOWN) == []


def test_a_class_named_like_a_word_of_the_template_is_not_unknown():
    cloudy = FACTS.model_copy(update={"cloud_pct": 12})
    assert faults(f"{GOOD} Clouds hide {{cloud_pct}} of the optical image.", cloudy) == []
