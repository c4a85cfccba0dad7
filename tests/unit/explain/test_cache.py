from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from clairemap.explain import cache
from clairemap.explain.cache import CachedWriter
from clairemap.explain.prompt import Conversation, Message


class CountingWriter:
    """Answers in capitals and records the conversations."""

    def __init__(self, identity: str = "a") -> None:
        self.identity = identity
        self.asked: list[str] = []

    def write(self, conversations: Sequence[Conversation]) -> Iterator[tuple[int, str]]:
        for place in reversed(range(len(conversations))):
            self.asked.append(conversations[place][0].content)
            yield place, conversations[place][0].content.upper()


def about(*texts: str) -> list[Conversation]:
    return [(Message("user", text),) for text in texts]


def test_cached_answers_are_not_generated_again(tmp_path: Path):
    first, second = CountingWriter(), CountingWriter()
    assert dict(CachedWriter(first, tmp_path).write(about("x", "y"))) == {0: "X", 1: "Y"}
    assert dict(CachedWriter(second, tmp_path).write(about("y", "z", "x"))) == {0: "Y", 1: "Z", 2: "X"}
    assert second.asked == ["z"]


def test_equal_conversations_are_answered_once(tmp_path: Path):
    writer = CountingWriter()
    assert dict(CachedWriter(writer, tmp_path).write(about("x", "x", "y"))) == {0: "X", 1: "X", 2: "Y"}
    assert sorted(writer.asked) == ["x", "y"]


def test_another_model_has_its_own_answers(tmp_path: Path):
    other = CountingWriter("b")
    list(CachedWriter(CountingWriter("a"), tmp_path).write(about("x")))
    list(CachedWriter(other, tmp_path).write(about("x")))
    assert other.asked == ["x"]


def test_another_prompt_version_is_answered_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    writer = CountingWriter()
    list(CachedWriter(writer, tmp_path).write(about("x")))
    monkeypatch.setattr(cache, "PROMPT_VERSION", f"{cache.PROMPT_VERSION}+")
    list(CachedWriter(writer, tmp_path).write(about("x")))
    assert writer.asked == ["x", "x"]


def test_answers_are_cached_as_they_come(tmp_path: Path):
    answers = CachedWriter(CountingWriter(), tmp_path).write(about("x", "y", "z"))
    next(answers)
    answers.close()
    assert len(list(tmp_path.rglob("*.json"))) == 1
    assert not list(tmp_path.rglob("*.part"))


def test_a_damaged_answer_is_generated_again(tmp_path: Path):
    writer = CountingWriter()
    cached = CachedWriter(writer, tmp_path)
    list(cached.write(about("x")))
    file = next(tmp_path.rglob("*.json"))
    file.write_text('{"mod')
    assert dict(cached.write(about("x"))) == {0: "X"}
    assert writer.asked == ["x", "x"]
