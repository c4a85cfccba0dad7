from collections.abc import Iterator, Sequence
from types import ModuleType

import numpy as np
import pytest

from clairemap.artefacts.explanations import TileFacts
from clairemap.explain.explainer import explain
from clairemap.explain.outline import Outline, Sentence


class LastWording:
    """Chooses the last wording of the topics that must be said."""

    identity = "last"

    def __init__(self) -> None:
        self.asked = 0

    def write(self, outlines: Sequence[Outline]) -> Iterator[tuple[int, list[Sentence]]]:
        for place, outline in reversed(list(enumerate(outlines))):
            self.asked += 1
            yield place, [Sentence(topic, topic.wordings[-1]) for topic in outline.topics if topic.required]


@pytest.fixture
def tiles(made: ModuleType) -> list[TileFacts]:
    return [made.facts_of(made.random_counts(np.random.default_rng(seed), made.LEGENDS[0])) for seed in range(6)]


def test_without_a_model_all_texts_are_from_the_template(tiles: list[TileFacts]):
    found = explain(tiles)
    assert {one.source for one in found} == {"template"}
    assert found == explain(tiles)
    for one in found:
        assert one.text == " ".join(sentence.text for sentence in one.sentences)
        assert all(sentence.topic for sentence in one.sentences)


def test_the_model_writes_the_chosen_texts(tiles: list[TileFacts]):
    writer = LastWording()
    found = explain(tiles, writer, {1, 4})
    assert [one.source == "model" for one in found] == [False, True, False, False, True, False]
    assert writer.asked == 2
    assert found[1] == explain(tiles[1:2], writer)[0]
    assert found[0] == explain(tiles[:1])[0]


def test_keys_depend_on_facts_and_model(tiles: list[TileFacts]):
    keys = [one.key for one in (*explain(tiles), *explain(tiles, LastWording()))]
    assert len(set(keys)) == 2 * len(tiles)


def test_no_tiles_give_no_explanations():
    assert explain([], LastWording()) == []
