from collections.abc import Iterator, Sequence
from types import ModuleType

import pytest

from clairemap.artefacts.explanations import TileFacts
from clairemap.explain.explainer import Explainer
from clairemap.explain.prompt import Conversation, describe
from clairemap.explain.slots import fill, slots_of
from clairemap.explain.template import template_text

SEEDS = range(12)


class ScriptedWriter:
    """Writes true texts about known tiles; the first `stumbles` answers are false."""

    identity = "scripted"

    def __init__(self, texts: dict[str, str], stumbles: int = 0) -> None:
        self._texts = texts
        self._stumbles = stumbles
        self.asked: list[Conversation] = []

    def write(self, conversations: Sequence[Conversation]) -> Iterator[tuple[int, str]]:
        for place, conversation in enumerate(conversations):
            self.asked.append(conversation)
            text = self._texts[conversation[3].content]
            stumbles = len(self.asked) <= self._stumbles
            yield place, "Water covers 99 % because of a flood." if stumbles else f"\n {text}\n"


@pytest.fixture
def tiles(made: ModuleType) -> list[TileFacts]:
    return [made.made_facts(seed, made.LEGENDS[0]) for seed in SEEDS]


@pytest.fixture
def texts(made: ModuleType, tiles: list[TileFacts]) -> dict[str, str]:
    return {describe(facts): made.other_words(facts, seed) for seed, facts in zip(SEEDS, tiles, strict=True)}


def test_true_texts_of_the_model_are_used(made: ModuleType, tiles: list[TileFacts], texts: dict[str, str]):
    writer = ScriptedWriter(texts)
    found = Explainer(made.LEGENDS[0], writer).explain(tiles)
    assert {one.source for one in found} == {"model"}
    assert len(writer.asked) == len(tiles)
    for facts, one in zip(tiles, found, strict=True):
        assert one.text == fill(texts[describe(facts)], slots_of(facts))
        assert one.faults == ()


def test_false_texts_are_retried_with_their_faults(made: ModuleType, tiles: list[TileFacts], texts: dict[str, str]):
    writer = ScriptedWriter(texts, stumbles=len(tiles))
    found = Explainer(made.LEGENDS[0], writer).explain(tiles)
    assert {one.source for one in found} == {"model"}
    assert len(writer.asked) == 2 * len(tiles)
    assert "'because' states a cause" in writer.asked[-1][-1].content


def test_after_two_false_texts_the_template_is_used(made: ModuleType, tiles: list[TileFacts], texts: dict[str, str]):
    found = Explainer(made.LEGENDS[0], ScriptedWriter(texts, stumbles=2 * len(tiles))).explain(tiles)
    for facts, one in zip(tiles, found, strict=True):
        assert one.source == "template"
        assert one.text == fill(template_text(facts), slots_of(facts))
        assert any("'because'" in fault for fault in one.faults)


def test_without_a_model_all_is_template_without_faults(made: ModuleType, tiles: list[TileFacts]):
    found = Explainer(made.LEGENDS[0]).explain(tiles)
    assert {(one.source, one.faults) for one in found} == {("template", ())}
    assert "{" not in "".join(one.text for one in found)


def test_keys_depend_on_facts_and_model(made: ModuleType, tiles: list[TileFacts], texts: dict[str, str]):
    alone = [one.key for one in Explainer(made.LEGENDS[0]).explain(tiles)]
    written = [one.key for one in Explainer(made.LEGENDS[0], ScriptedWriter(texts)).explain(tiles)]
    assert len({*alone, *written}) == 2 * len(tiles)
    assert alone == [one.key for one in Explainer(made.LEGENDS[0]).explain(tiles)]


def test_no_tiles_give_no_explanations(made: ModuleType):
    assert Explainer(made.LEGENDS[0], ScriptedWriter({})).explain([]) == []
