from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from clairemap.explain import prompt
from clairemap.explain.cache import CachedWriter
from clairemap.explain.outline import Outline, Sentence, Topic


class CountingWriter:
    """Chooses the second wording of each topic and records what it was asked."""

    def __init__(self, identity: str = "a") -> None:
        self.identity = identity
        self.asked: list[str] = []

    def write(self, outlines: Sequence[Outline]) -> Iterator[tuple[int, list[Sentence]]]:
        for place in reversed(range(len(outlines))):
            topics = outlines[place].topics
            self.asked.append(topics[0].key)
            yield place, [Sentence(topic, topic.wordings[1]) for topic in topics]


def about(*keys: str) -> list[Outline]:
    return [Outline((Topic(key, "lead", (f"{key} one.", f"{key} two."), ()),)) for key in keys]


def written(writer: CachedWriter, *keys: str) -> dict[int, str]:
    return {place: sentences[0].text for place, sentences in writer.write(about(*keys))}


def test_cached_texts_are_not_written_again(tmp_path: Path):
    first, second = CountingWriter(), CountingWriter()
    assert written(CachedWriter(first, tmp_path), "x", "y") == {0: "x two.", 1: "y two."}
    assert written(CachedWriter(second, tmp_path), "y", "z", "x") == {0: "y two.", 1: "z two.", 2: "x two."}
    assert second.asked == ["z"]


def test_equal_outlines_are_written_once(tmp_path: Path):
    writer = CountingWriter()
    assert written(CachedWriter(writer, tmp_path), "x", "x", "y") == {0: "x two.", 1: "x two.", 2: "y two."}
    assert sorted(writer.asked) == ["x", "y"]


def test_another_model_has_its_own_texts(tmp_path: Path):
    other = CountingWriter("b")
    written(CachedWriter(CountingWriter("a"), tmp_path), "x")
    written(CachedWriter(other, tmp_path), "x")
    assert other.asked == ["x"]


def test_another_prompt_is_answered_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    writer = CountingWriter()
    written(CachedWriter(writer, tmp_path), "x")
    monkeypatch.setattr(prompt, "SYSTEM", f"{prompt.SYSTEM}+")
    written(CachedWriter(writer, tmp_path), "x")
    assert writer.asked == ["x", "x"]


def test_texts_are_cached_as_they_come(tmp_path: Path):
    texts = CachedWriter(CountingWriter(), tmp_path).write(about("x", "y", "z"))
    next(texts)
    texts.close()
    assert len(list(tmp_path.rglob("*.json"))) == 1
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize(
    "content", ['{"mod', '{"sentences": [["x", "another text."]]}', '{"sentences": [["y", "x."]]}']
)
def test_a_damaged_text_is_written_again(tmp_path: Path, content: str):
    writer = CountingWriter()
    cached = CachedWriter(writer, tmp_path)
    written(cached, "x")
    next(tmp_path.rglob("*.json")).write_text(content)
    assert written(cached, "x") == {0: "x two."}
    assert writer.asked == ["x", "x"]
