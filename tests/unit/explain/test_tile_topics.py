from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from clairemap.artefacts.tile_reasons import TileReasons
from clairemap.explain.outline import Outline, template_sentences
from clairemap.explain.tile_topics import tile_topics

seeds = st.integers(0, 2**32)
legends = st.integers(0, 5)


def made_counts(made: ModuleType, seed: int, legend: int) -> Any:  # noqa: ANN401 - of a module loaded by path
    return made.random_counts(np.random.default_rng(seed), made.LEGENDS[legend])


@examples(max_examples=400, deadline=None)
@given(seed=seeds, legend=legends)
def test_every_sentence_of_every_wording_is_true(made: ModuleType, seed: int, legend: int):
    tile = made_counts(made, seed, legend)
    for topic in tile_topics(made.facts_of(tile)):
        for wording in topic.wordings:
            assert made.faults(wording, tile) == [], topic.key


@examples(max_examples=200, deadline=None)
@given(seed=seeds, legend=legends)
def test_each_tile_says_what_how_sure_why_and_what_to_check(made: ModuleType, seed: int, legend: int):
    topics = tile_topics(made.facts_of(made_counts(made, seed, legend)))
    assert {"lead", "how sure", "why", "check"} <= {topic.role for topic in topics}
    assert len({topic.key for topic in topics}) == len(topics)
    texts = [wording for topic in topics for wording in topic.wordings]
    assert len(set(texts)) == len(texts)
    sentences = template_sentences(Outline(topics))
    assert 3 <= len(sentences) <= 7
    required = {topic.key for topic in topics if topic.required}
    assert required <= {sentence.topic.key for sentence in sentences}


@examples(max_examples=200, deadline=None)
@given(seed=seeds, legend=legends)
def test_each_topic_names_facts_of_the_record(made: ModuleType, seed: int, legend: int):
    facts = made.facts_of(made_counts(made, seed, legend))
    record = facts.record()
    classes = {c.name for c in facts.classes}
    pairs = {f"confusions.{pair.truth}.{pair.mapped}" for pair in facts.confusions} | reason_keys(facts.reasons)
    for topic in tile_topics(facts):
        for key in topic.about:
            name, _, kind = key.removeprefix("classes.").rpartition(".")
            assert key in record or key in pairs or (name in classes and kind in record["classes"][0]), key


def reason_keys(reasons: TileReasons) -> set[str]:
    """Return the keys of all reasons of a tile."""
    keys = {"edge_pct", "isolated_pct", "calibration_scenes" if reasons.unseen is None else "unseen"}
    keys |= {f"shifted.{each.quantity}" for each in reasons.shifted}
    keys |= {f"may_be_missed.{each.name}" for each in reasons.may_be_missed}
    for c in reasons.classes:
        of_class = {"optical_share_pct", "margin_pct", "compared", "record"}
        of_class |= {f"without.{each.sensor}" for each in c.without}
        of_class |= {f"unusual.{each.quantity}" for each in c.unusual}
        keys |= {f"classes.{c.name}.{key}" for key in of_class}
    return {f"reasons.{key}" for key in keys}


def text(made: ModuleType, tile: Any) -> str:  # noqa: ANN401
    return " ".join(sentence.text for sentence in template_sentences(Outline(tile_topics(made.facts_of(tile)))))


def test_changed_facts_change_the_text(made: ModuleType):
    before = made.plain_tile(arrays={})
    for change, (values, expected) in made.CHANGES.items():
        tile = made.plain_tile(**{"arrays": {}, **values})
        assert expected in text(made, tile), change
        assert made.faults(text(made, tile), tile) == [], change
        assert made.faults(text(made, tile), before), change


def test_the_reading_finds_what_is_wrong(made: ModuleType):
    tile = made.plain_tile()
    assert made.faults(text(made, tile), tile) == []
    for wrong in (
        "Most of this tile is water, 80 % of the mapped area.",
        "Most of this tile is forest, 55 % of the mapped area.",
        "The network is moderately confident here: on average, it gives the mapped class a probability of 90 %.",
        "SAR has most of the weight, 50 %, the optical image the rest.",
        "Something happened here.",
        "Confidence is lowest for road (90 % on average).",
    ):
        assert made.faults(wrong, tile) != [], wrong


def test_first_comes_what_decides_whether_to_trust_the_tile(made: ModuleType):
    poor = np.array([[1000, 0, 2000], [0, 1000, 1000], [0, 0, 500]])
    assert text(made, made.plain_tile(confusion=poor)).startswith(
        "Do not trust this tile: the map agrees with only 45 %"
    )
    assert text(made, made.plain_tile()).startswith(
        "The largest class of this tile is water, with 55 % of the mapped area."
    )


def test_half_of_a_tile_is_not_most_of_it(made: ModuleType):
    assert "Most" not in text(made, made.plain_tile(px=np.array([8240, 6144, 2000])))
    assert "Most of this tile is water, 61 %" in text(made, made.plain_tile(px=np.array([9994, 4390, 2000])))


def test_a_rare_class_that_is_missed_is_said(made: ModuleType):
    missed = np.array([[30000, 0, 0], [0, 20000, 0], [110, 0, 0]])
    tile = made.plain_tile(confusion=missed, px=np.array([9000, 7384, 0]))
    assert "The labels contain road, but the map shows none in this tile." in text(made, tile)
    wordings = " ".join(wording for topic in tile_topics(made.facts_of(tile)) for wording in topic.wordings)
    assert "99 % of the pixels are mapped as labelled, but not all classes do well" in wordings
    hardly = np.array([[30000, 0, 0], [0, 20000, 0], [110, 0, 2]])
    figures = "finds 2 % of the pixels labelled road; of the labelled pixels mapped as road, over 99 % are right"
    assert f"poorly for road: it {figures}" in text(made, made.plain_tile(confusion=hardly))


def test_without_labels_a_tile_says_how_far_confidence_is_off_elsewhere(made: ModuleType):
    def said(**reasons: object) -> str:
        facts = made.facts_of(made.plain_tile(**made.UNLABELLED))
        facts = facts.model_copy(update={"reasons": TileReasons.model_validate(reasons)})
        (topic,) = [topic for topic in tile_topics(facts) if topic.key == "no accuracy"]
        return topic.wordings[0].removeprefix("The accuracy of this tile was not measured, since it has no labels")

    assert said() == "."
    assert said(calibration_scenes=3) == "; how far the confidence is off in other scenes is not known."
    assert said(calibration_scenes=1) == (
        "; the confidence was calibrated on a single scene and may be less reliable in others."
    )
    three, one = ({"scenes": scenes, "ece_before": 0.1, "ece_mean": 0.004, "ece_worst": 0.09} for scenes in (3, 1))
    assert said(calibration_scenes=4, unseen=three) == (
        "; on scenes without training tiles, the confidence was off by less than 1 point on average and by 9 "
        "points at worst."
    )
    assert said(calibration_scenes=2, unseen=one) == (
        "; on a scene without training tiles, the confidence was off by less than 1 point."
    )


def test_a_handful_of_pixels_gets_no_percentage(made: ModuleType):
    none = np.zeros((3, 3), np.int64)
    tile = made.plain_tile(px=np.array([3, 1, 0]), confidence_sum=np.array([2.7, 0.9, 0]), confusion=none)
    assert "Fewer than 100 pixels of this tile are mapped, most often as water." in text(made, tile)
    assert "%" not in text(made, tile).replace("The cloud mask marks less than 1 % of this tile.", "")


def test_two_classes_are_not_compared_as_best_and_worst(made: ModuleType):
    two = made.plain_tile(names=("a", "b"), px=np.array([10000, 6384]), confidence_sum=np.array([9000, 5000.0]))
    two = replace(two, confusion=np.array([[3000, 200], [100, 1000]]))
    assert "best" not in " ".join(w for t in tile_topics(made.facts_of(two)) for w in t.wordings)


@pytest.mark.parametrize("name", ["clouds", "SAR", '"quoted" {name}', "a, b and c", "50 %", "road. It is"])
def test_names_that_could_be_misread_are_quoted(made: ModuleType, name: str):
    tile = made.plain_tile(names=(name, "forest", "road"))
    assert f"“{name}”" in text(made, tile)
    assert made.faults(text(made, tile), tile) == []


def test_sentences_have_at_most_two_figures(made: ModuleType):
    for seed in range(150):
        for topic in tile_topics(made.facts_of(made_counts(made, seed, 0))):
            for wording in topic.wordings:
                assert len([word for word in wording.split() if word.strip("().,;").isdigit()]) <= 2, wording


def test_an_outline_leaves_room_for_what_must_be_said(made: ModuleType):
    for seed in range(300):
        topics = tile_topics(made.facts_of(made_counts(made, seed, seed % 6)))
        rng, outline, said = np.random.default_rng(seed), Outline(topics), []
        while following := outline.following(said):
            if outline.may_end(said) and rng.random() < 0.2:
                break
            said.append(following[rng.integers(len(following))])
        assert 3 <= len(said) <= 7
        assert {topic.key for topic in topics if topic.required} <= {topic.key for topic in said}
        assert {topic.role for topic in topics if topic.role in ("lead", "how sure", "why", "check")} <= {
            topic.role for topic in said
        }
        assert [topic.phase for topic in said] == sorted(topic.phase for topic in said)
        assert len({topic.key for topic in said}) == len(said)
