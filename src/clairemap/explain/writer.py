"""What the explainer asks for its texts: a language model, or whatever stands in for one."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from clairemap.explain.prompt import Conversation


class Writer(Protocol):
    """Answers conversations."""

    @property
    def identity(self) -> str:
        """A text that differs whenever answers might: the model's files and the way of decoding."""
        ...

    def write(self, conversations: Sequence[Conversation]) -> Iterator[tuple[int, str]]:
        """Yield position and answer of each conversation, in any order, as soon as they are there."""
        ...
