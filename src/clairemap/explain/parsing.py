"""Splits an explanation into sentences of tokens: words, classes, slots and numbers."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from clairemap.explain.lexicon import BREAKS
from clairemap.explain.slots import Slot, find_slot

TokenKind = Literal["word", "class", "value", "number", "break", "odd"]


@dataclass(frozen=True)
class Token:
    """A piece of a sentence.

    `text` is in lower case. A class token may mean any of `names`, which differ only in case; `plain`: it may also be
    ordinary wording of the template. If it has several words, these follow as separate tokens. A value token is a
    slot or a number and may mean any of `slots`; without slots, the facts have no such figure.
    """

    kind: TokenKind
    text: str
    names: frozenset[str] = frozenset()
    plain: bool = False
    slots: tuple[Slot, ...] = ()

    @property
    def is_wording(self) -> bool:
        """Whether this is a word outside class names."""
        return self.kind == "word" and not self.names


@dataclass(frozen=True)
class Sentence:
    """Tokens up to a full stop."""

    tokens: tuple[Token, ...]

    def words(self) -> Iterator[tuple[int, str]]:
        """Yield position and text of the words, including classes that are ordinary words."""
        for position, token in enumerate(self.tokens):
            if token.kind == "word" or token.plain:
                yield position, token.text

    def has_word(self, words: Iterable[str]) -> bool:
        """Return whether the sentence has one of the words."""
        return not set(words).isdisjoint(text for _, text in self.words())

    def has_stem(self, stems: tuple[str, ...]) -> bool:
        """Return whether a word of the sentence begins with one of the stems."""
        return any(text.startswith(stems) for _, text in self.words())

    def nearest(self, place: int, matches: Callable[[Token], bool]) -> Token | None:
        """Return the matching token that a reader would connect with the token at `place`.

        In the same clause the last one before it, else the first one after it; else the same in the whole sentence.
        """
        start, stop = self._clause(place)
        in_clause = [*range(place - 1, start - 1, -1), *range(place + 1, stop)]
        in_sentence = [*range(place - 1, -1, -1), *range(place + 1, len(self.tokens))]
        return next((self.tokens[at] for at in in_clause + in_sentence if matches(self.tokens[at])), None)

    def closest(self, place: int, matches: Callable[[Token], bool]) -> Token | None:
        """Return the matching token at the smallest distance, from the clause if it has one; the earlier of two."""
        start, stop = self._clause(place)
        for positions in (range(start, stop), range(len(self.tokens))):
            found = [position for position in positions if position != place and matches(self.tokens[position])]
            if found:
                return self.tokens[min(found, key=lambda position: (abs(position - place), position))]
        return None

    def clause(self, place: int) -> "Sentence":
        """Return the clause of a token: the tokens between commas, brackets and conjunctions."""
        start, stop = self._clause(place)
        return Sentence(self.tokens[start:stop])

    def _clause(self, place: int) -> tuple[int, int]:
        breaks = [position for position, token in enumerate(self.tokens) if token.kind == "break"]
        start = max((position + 1 for position in breaks if position < place), default=0)
        stop = min((position for position in breaks if position > place), default=len(self.tokens))
        return start, stop


class Parser:
    """Splits texts about one tile into sentences."""

    def __init__(self, names: Sequence[str], slots: Mapping[str, Slot], ordinary: frozenset[str]) -> None:
        """Prepare the patterns of a tile.

        Args:
            names: names of all classes of the legend.
            slots: the slots of the tile's facts.
            ordinary: words that do not mention a class even if a class has that name.
        """
        self._slots = dict(slots)
        self._ordinary = ordinary
        self._forms: dict[str, set[str]] = {}
        for name in names:
            for form in _forms(name):
                self._forms.setdefault(form, set()).add(name)
        self._pattern = re.compile(
            "|".join(
                [
                    r"(?P<slot>\{[^{}]*\})",
                    rf"(?P<name>{'|'.join(_as_pattern(form) for form in sorted(self._forms, key=len, reverse=True))})",
                    r"(?P<figure>(?<!\w)\d+\.\d+(?:\s?%)?(?!\w)|(?<!\w)\d+\s?%(?!\w))",
                    r"(?P<word>f1\b|[^\W\d_]+(?:['’][^\W\d_]+)?|[%‰°€])",
                    r"(?P<number>\d+(?:[.,]\d+)*)",
                    r"(?P<stop>[.!?]+(?=\s|$)|\n)",
                    r"(?P<break>[,;:()])",
                    r"(?P<odd>[^\s.!?'’\-–/])",
                ]
            ),
            re.IGNORECASE,
        )

    def parse(self, text: str) -> list[Sentence]:
        """Return the sentences of a text with slots or figures."""
        sentences: list[list[Token]] = [[]]
        for match in self._pattern.finditer(text):
            if match.lastgroup == "stop":
                sentences.append([])
            else:
                sentences[-1] += self._tokens(match)
        return [Sentence(tuple(tokens)) for tokens in sentences if tokens]

    def _tokens(self, match: re.Match[str]) -> list[Token]:
        token = self._token(match)
        words = token.text.split() if token.plain else []
        return [token] if len(words) < 2 else [token, *(Token("word", word, token.names) for word in words)]

    def _token(self, match: re.Match[str]) -> Token:
        text = " ".join(match[0].casefold().split())
        kind = match.lastgroup
        if kind == "slot":
            slot = find_slot(text[1:-1], self._slots)
            return Token("value", text, slots=(slot,) if slot else ())
        if kind == "figure":
            written = " %".join(part.strip() for part in text.split("%"))
            same_text = tuple(slot for slot in self._slots.values() if slot.text == written.strip())
            return Token("value", text, slots=same_text)
        if kind == "name":
            words = re.findall(r"\w+", text)
            plain = all(word in self._ordinary for word in words)
            return Token("class", text, frozenset(self._forms.get(text, set())), plain)
        if kind == "word":
            return Token("break" if text in BREAKS else "word", text)
        return Token("number" if kind == "number" else "break" if kind == "break" else "odd", text)


def _forms(name: str) -> set[str]:
    """Return a name and its plurals, in lower case."""
    single = name.casefold()
    plural = (
        single[:-1] + "ies" if single.endswith("y") else single + ("es" if single.endswith(("s", "x", "h")) else "s")
    )
    return {single, plural, single + "s"} if single[-1].isalpha() else {single}


def _as_pattern(form: str) -> str:
    spaced = r"\s+".join(re.escape(word) for word in form.split())
    before = r"(?<!\w)(?<!\d[.,])" if form[0].isalnum() else ""
    # A class may be called "2.1"; figures like "2.1 %" or "2.15" do not mention it.
    after = r"(?!\w)(?![.,]\d)(?!\s?%)" if form[-1].isnumeric() else r"(?!\w)" if form[-1].isalnum() else ""
    return before + spaced + after
