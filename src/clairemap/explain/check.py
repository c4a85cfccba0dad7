"""The checker: compares the statements of an explanation with the facts.

It checks texts with slots, as written by a model or the template, and filled texts, whose numbers must be figures of
the facts. A fault is a sentence that says what to change.
"""

from collections.abc import Callable, Iterator, Sequence

from clairemap.artefacts.explanations import TileFacts
from clairemap.explain import lexicon
from clairemap.explain.caveats import caveat_faults
from clairemap.explain.claims import claim_faults
from clairemap.explain.parsing import Parser, Sentence, Token
from clairemap.explain.slots import Slot, slots_of
from clairemap.explain.template import VOCABULARY

MAX_CHARACTERS = 1500


class Checker:
    """Checks texts about one tile."""

    def __init__(self, facts: TileFacts, legend_names: Sequence[str]) -> None:
        """Prepare the checks of a tile.

        Args:
            facts: the facts of the tile.
            legend_names: names of all classes, from `tile_sums.names_in_texts`.
        """
        self._facts = facts
        self._parser = Parser(tuple(dict.fromkeys([*legend_names, *facts.names])), slots_of(facts), VOCABULARY)

    def slotted_faults(self, text: str) -> list[str]:
        """Return the faults of a text with slots; empty if it may be filled and shown."""
        figures = [
            f"The number {token.text!r} is not allowed: write a slot"
            for sentence in self._parser.parse(text)
            for token in sentence.tokens
            if token.kind == "value" and not token.text.startswith("{")
        ]
        return figures + self._faults(text)

    def filled_faults(self, text: str) -> list[str]:
        """Return the faults of a text whose slots are filled."""
        return self._faults(text)

    def _faults(self, text: str) -> list[str]:
        if not text.strip():
            return ["The text is empty"]
        sentences = self._parser.parse(text)
        faults = [*_form_faults(text), *self._subject_faults(sentences), *caveat_faults(sentences, self._facts)]
        for sentence in sentences:
            for rule in RULES:
                faults += rule(sentence, self._facts)
        return list(dict.fromkeys(faults))

    def _subject_faults(self, sentences: Sequence[Sentence]) -> Iterator[str]:
        required = "area", (self._facts.largest.name,)
        mentioned = {(slot.kind, slot.classes) for s in sentences for token in s.tokens for slot in token.slots}
        if required not in mentioned:
            yield f"The area of the largest class is missing: use {{area_pct.{self._facts.largest.name}}}"


def _form_faults(text: str) -> Iterator[str]:
    if not text.rstrip().endswith("."):
        yield "The text does not end with a full stop"
    if len(text) > MAX_CHARACTERS:
        yield f"The text is longer than {MAX_CHARACTERS} characters"


def _token_faults(sentence: Sentence, facts: TileFacts) -> Iterator[str]:
    del facts
    for token in sentence.tokens:
        if token.kind == "odd":
            yield f"The character {token.text!r} is not allowed in plain sentences"
        elif token.kind == "number" or _spells_digits(token):
            yield f"The number {token.text!r} is not allowed: write a slot"
        elif token.kind == "value" and not token.slots:
            yield f"{token.text} is not a figure of this tile"


def _spells_digits(token: Token) -> bool:
    """Return whether a word contains a numeral, for example a fraction sign; F1 is the name of a score."""
    return token.kind == "word" and token.text != "f1" and any(letter.isnumeric() for letter in token.text)


def _word_faults(sentence: Sentence, facts: TileFacts) -> Iterator[str]:
    del facts
    for place, word in sentence.words():
        if sentence.tokens[place].names:
            continue
        if word in lexicon.NUMBER_WORDS:
            yield f"The number word {word!r} is not allowed: write a slot or omit it"
        elif word in lexicon.UNIT_WORDS:
            yield f"The unit {word!r} is not allowed: slots include their units"
        elif word in lexicon.CAUSE_WORDS:
            yield f"{word!r} states a cause or event that is not in the facts"
        elif word not in VOCABULARY | lexicon.NEGATIONS and not lexicon.is_known(word):
            yield f"{word!r} is neither a class of this tile nor a word for its facts: omit it"


def _class_faults(sentence: Sentence, facts: TileFacts) -> Iterator[str]:
    for token in sentence.tokens:
        if token.kind == "class" and not token.plain and token.names.isdisjoint(facts.names):
            yield f"The class {token.text!r} does not occur in this tile"


def _binding_faults(sentence: Sentence, facts: TileFacts) -> Iterator[str]:
    """Yield figures that are connected with the wrong class or the wrong kind of figure."""
    del facts
    for place, token in enumerate(sentence.tokens):
        if token.slots and not any(_is_bound(sentence, place, slot) for slot in token.slots):
            yield f"{token.text} must directly follow its class and a word for its kind of figure"


def _is_bound(sentence: Sentence, place: int, slot: Slot) -> bool:
    return _kind_bound(sentence, place, slot) and _class_bound(sentence, place, slot)


def _kind_bound(sentence: Sentence, place: int, slot: Slot) -> bool:
    # A class may be called "clouds"; then the word is not a keyword for figures of classes.
    keyword = sentence.nearest(
        place,
        lambda token: bool(lexicon.kinds_of(token.text)) and _may_be_keyword(token, slot),
    )
    if keyword is None:
        return slot.kind == "area"
    in_clause = {kind for _, word in sentence.clause(place).words() for kind in lexicon.kinds_of(word)}
    kinds = lexicon.kinds_of(keyword.text)
    # "Clouds cover" has a word for area next to the figure, but refers to the whole tile.
    loose = not slot.classes and "clouds unknown" not in kinds
    return slot.kind in kinds or (loose and slot.kind in in_clause)


def _may_be_keyword(token: Token, slot: Slot) -> bool:
    return token.is_wording or (token.plain and not slot.classes)


def _class_bound(sentence: Sentence, place: int, slot: Slot) -> bool:
    if slot.kind == "confusion":
        return _order_bound(sentence, slot)
    if not slot.classes:
        return not any(token.kind == "class" and not token.plain for token in sentence.clause(place).tokens)
    mention = sentence.nearest(place, _mentions(slot.classes[0]))
    return mention is not None and slot.classes[0] in mention.names


def _order_bound(sentence: Sentence, slot: Slot) -> bool:
    """Return whether the true class is named before the mapped one, and no other class is named."""
    named = [token for token in sentence.tokens if token.kind == "class"]
    if any(not token.plain and token.names.isdisjoint(slot.classes) for token in named):
        return False
    truth, mapped = ([at for at, token in enumerate(named) if name in token.names] for name in slot.classes)
    return bool(truth and mapped) and truth[0] <= mapped[0]


def _mentions(name: str) -> Callable[[Token], bool]:
    """Return a test for tokens that mention a class; words of the template count only for `name`."""
    return lambda token: token.kind == "class" and (not token.plain or name in token.names)


RULES: tuple[Callable[[Sentence, TileFacts], Iterator[str]], ...] = (
    _token_faults,
    _word_faults,
    _class_faults,
    _binding_faults,
    claim_faults,
)
