"""Interface of the language model."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from clairemap.explain.outline import Outline, Sentence


class Writer(Protocol):
    """Chooses the sentences of texts."""

    @property
    def identity(self) -> str:
        """Identifier of the model's files and number format; texts of equal identities are equal."""
        ...

    def write(self, outlines: Sequence[Outline]) -> Iterator[tuple[int, list[Sentence]]]:
        """Yield position and sentences of each text, in any order, as they are written."""
        ...
