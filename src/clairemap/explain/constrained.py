"""One text while a language model writes it: which tokens may follow, and which sentences were chosen.

The model decides only where sentences differ. Tokens without an alternative are appended without asking it.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from clairemap.explain.outline import Outline, Sentence, Topic
from clairemap.explain.token_tree import TokenTree, token_tree

Tokenize = Callable[[str], tuple[int, ...]]


class ConstrainedText:
    """A text in progress. Only sentences of its outline can be written, in an order that the outline allows."""

    def __init__(self, outline: Outline, tokens_of: Tokenize, end_tokens: Sequence[int]) -> None:
        """Start a text.

        Args:
            outline: the topics.
            tokens_of: returns the tokens of a sentence; of a sentence after another if it begins with a space.
            end_tokens: tokens that end an answer of the model.
        """
        self.sentences: list[Sentence] = []
        self._outline = outline
        self._tokens_of = tokens_of
        self._end_tokens = end_tokens
        self.ended = False
        self._node = self._choices()

    @property
    def said(self) -> list[Topic]:
        """Topics of the sentences so far."""
        return [sentence.topic for sentence in self.sentences]

    def forced(self) -> list[int]:
        """Return the tokens up to the next choice; empty if the text is complete or a choice comes next."""
        tokens: list[int] = []
        while not self.ended and len(self._node.following) == 1:
            token = next(iter(self._node.following))
            tokens.append(token)
            self._take(token)
        return [] if self.ended else tokens

    def choose(self, logits: NDArray[np.float32]) -> list[int]:
        """Take the most probable token of those that may follow.

        Args:
            logits: of all tokens at this place, (vocabulary,).

        Returns:
            this token and the tokens up to the next choice; empty if the text is complete.
        """
        allowed = list(self._node.following)
        token = allowed[int(np.argmax(logits[allowed]))]
        self._take(token)
        tokens = [token, *self.forced()]
        return [] if self.ended else tokens

    def _take(self, token: int) -> None:
        self._node = self._node.following[token]
        if self._node.leaf is None:
            return
        if isinstance(self._node.leaf, Sentence):
            self.sentences.append(self._node.leaf)
            self._node = self._choices()
        else:
            self.ended = True

    def _choices(self) -> "TokenTree[Sentence | str]":
        """Return the tree of the next sentences and the end; mark the text as ended if nothing may follow."""
        space = " " if self.sentences else ""
        found: list[tuple[Sequence[int], Sentence | str]] = [
            (self._tokens_of(space + wording), Sentence(topic, wording))
            for topic in self._outline.following(self.said)
            for wording in topic.wordings
        ]
        self.ended = not found
        if found and self._outline.may_end(self.said):
            found += [((token,), "end") for token in self._end_tokens]
        return token_tree(found)
