"""Caveats that an explanation must not keep back: what a reader has to know before relying on the tile."""

from collections.abc import Iterator, Sequence

from clairemap.explain import lexicon
from clairemap.explain.facts import TileFacts
from clairemap.explain.reading import Sentence

LOW = ("low", "poor", "weak", "limited", "uncertain", "unreliab", "caution", "imprecise")
ALIGNMENT = ("registra", "register", "align", "misalign", "coregist")
ALONE = tuple(sorted(lexicon.EXCLUSIVE))

Caveat = tuple[str, tuple[tuple[str, ...], ...]]


def required_caveats(facts: TileFacts) -> Iterator[Caveat]:
    """Yield what an explanation must mention: in words, and as groups of stems of which one sentence has one each."""
    if facts.confidence == "low":
        yield "say that the confidence is low", (("confiden", "certain", "uncertain"), LOW)
    if facts.sensor == "optical only":
        yield "say that the map rests on the optical image alone", (("optical",), ALONE)
    if facts.sensor == "SAR only":
        yield "say that the map rests on the SAR image alone", (("sar", "radar"), ALONE)
    if facts.clouds != "none":
        yield "say that clouds hide part of the optical image", (("cloud",),)
    if facts.registration == "weak":
        yield "say that the registration of SAR and optical image is weak", (ALIGNMENT, LOW)
    if facts.registration == "rejected":
        yield "say that the registration of SAR and optical image was rejected", (ALIGNMENT, ("reject", "fail", *LOW))


def caveat_faults(sentences: Sequence[Sentence], facts: TileFacts) -> Iterator[str]:
    """Yield the caveats that the facts ask for and no sentence has."""
    for what, groups in required_caveats(facts):
        if not any(_gives(sentence, groups) for sentence in sentences):
            yield f"A caveat is missing: {what}"


def _gives(sentence: Sentence, groups: tuple[tuple[str, ...], ...]) -> bool:
    """Return whether a sentence has a word of each group; classes named so and superlatives are none."""
    of_the_tile = sentence.has_word(lexicon.OPTICAL | lexicon.SAR) or any(
        not slot.classes for token in sentence.tokens for slot in token.slots
    )
    words = [
        word
        for place, word in sentence.words()
        if word not in lexicon.MINIMUM and (of_the_tile or not sentence.tokens[place].plain)
    ]
    return all(any(word.startswith(stems) for word in words) for stems in groups)
