"""Interface of the language model."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from clairemap.explain.prompt import Conversation


class Writer(Protocol):
    """Answers conversations."""

    @property
    def identity(self) -> str:
        """Identifier of the model's files and decoding; answers of equal identities are equal."""
        ...

    def write(self, conversations: Sequence[Conversation]) -> Iterator[tuple[int, str]]:
        """Yield position and answer of each conversation, in any order, as they are generated."""
        ...
