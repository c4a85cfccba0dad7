"""Caveats that an explanation must mention."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clairemap.artefacts.explanations import TileFacts
from clairemap.explain import lexicon
from clairemap.explain.parsing import Sentence
from clairemap.explain.slots import FigureKind

LOW = ("low", "poor", "weak", "limited", "uncertain", "unreliab", "caution", "imprecise")
ALIGNMENT = ("registra", "register", "align", "misalign", "coregist")
ALONE = tuple(sorted(lexicon.EXCLUSIVE))


@dataclass(frozen=True)
class ClassMention:
    """Requires a mention of a class."""

    name: str


@dataclass(frozen=True)
class FigureMention:
    """Requires a figure of a class, or of the tile (no classes)."""

    kind: FigureKind
    classes: tuple[str, ...] = ()


Group = tuple[str, ...] | ClassMention | FigureMention
"""What a sentence must contain: a word that begins with one of the stems, a class, or a figure."""

Caveat = tuple[str, tuple[Group, ...]]


def required_caveats(facts: TileFacts) -> Iterator[Caveat]:
    """Yield the caveats of a tile: an instruction, and the groups that one sentence must contain."""
    if facts.confidence == "low":
        yield "say that the confidence is low", (("confiden", "certain", "uncertain"), LOW)
    if facts.sensor == "optical only":
        yield "say that the map relies on the optical image alone", (("optical",), ALONE)
    if facts.sensor == "SAR only":
        yield "say that the map relies on the SAR image alone", (("sar", "radar"), ALONE)
    if facts.clouds in ("some", "heavy"):
        figure = (FigureMention("clouds"),) if facts.has_unknown_clouds else ()  # other sentences mention clouds too
        yield "say that clouds cover part of the tile", (("cloud",), *figure)
    if facts.has_unknown_clouds:
        yield "say that cloud cover is unknown", (("cloud",), lexicon.NOT_KNOWN)
    if facts.registration == "weak":
        yield "say that the registration of SAR and optical image is weak", (ALIGNMENT, LOW)
    if facts.registration == "rejected":
        yield "say that the registration of SAR and optical image was rejected", (ALIGNMENT, ("reject", "fail", *LOW))

    for name in facts.unseen:
        yield f"say that {name} is unseen in training", (ClassMention(name), lexicon.TRAINING_STEMS)
    if facts.worst is not None:
        name = facts.worst.name
        yield f"say that {name} has an IoU of {{iou.{name}}}", (FigureMention("iou", (name,)),)


def caveat_faults(sentences: Sequence[Sentence], facts: TileFacts) -> Iterator[str]:
    """Yield the required caveats that no sentence mentions."""
    for what, groups in required_caveats(facts):
        if not any(_has_all(sentence, groups) for sentence in sentences):
            yield f"A caveat is missing: {what}"


def _has_all(sentence: Sentence, groups: tuple[Group, ...]) -> bool:
    """Return whether a sentence contains all groups; superlatives and words that may be class names do not count."""
    of_the_tile = sentence.has_word(lexicon.OPTICAL | lexicon.SAR) or any(
        not slot.classes for token in sentence.tokens for slot in token.slots
    )
    words = [
        word
        for place, word in sentence.words()
        if word not in lexicon.MINIMUM and (of_the_tile or not sentence.tokens[place].plain)
    ]
    return all(_has(sentence, words, group) for group in groups)


def _has(sentence: Sentence, words: Sequence[str], group: Group) -> bool:
    if isinstance(group, ClassMention):
        return any(group.name in token.names for token in sentence.tokens)
    if isinstance(group, FigureMention):
        slots = [slot for token in sentence.tokens for slot in token.slots]
        return any(slot.kind == group.kind and slot.classes == group.classes for slot in slots)
    return any(word.startswith(group) for word in words)
