"""Checks claims in words against the facts: negations, dominance, superlatives, levels, sensors."""

from collections.abc import Callable, Iterator

from clairemap.artefacts.explanations import MIN_SHARE_PCT, ClassFacts, TileFacts
from clairemap.explain import lexicon
from clairemap.explain.parsing import Sentence, Token

NOT_MINOR_PCT = 20.0


def claim_faults(sentence: Sentence, facts: TileFacts) -> Iterator[str]:
    """Yield the claims of a sentence that contradict the facts."""
    for rule in (
        _negations,
        _dominance,
        _superlatives,
        _minor,
        _composition,
        _levels,
        _clouds,
        _sensors,
        _training_claims,
        _missing_labels,
    ):
        yield from rule(sentence, facts)


def _claims(sentence: Sentence, facts: TileFacts) -> Iterator[tuple[int, str]]:
    """Yield position and text of the words that may be claims: all except names of the tile's classes."""
    for place, word in sentence.words():
        names = sentence.tokens[place].names
        if not names or names.isdisjoint(facts.names):
            yield place, word


def _negations(sentence: Sentence, facts: TileFacts) -> Iterator[str]:
    for place, word in _claims(sentence, facts):
        if word in lexicon.NEGATIONS and not _allowed_negation(sentence, place, facts):
            yield f"{word!r} negates a statement: write what is, not what is not"


def _allowed_negation(sentence: Sentence, place: int, facts: TileFacts) -> bool:
    near = [token.text for token in sentence.tokens[max(0, place - 1) : place + 3]]
    clouds = any(word.startswith("cloud") for word in near) and facts.clouds == "none"
    mask = "mask" in near and facts.has_unknown_clouds
    unlabelled = facts.oa_pct is None and not facts.has_few_labels
    return clouds or mask or (unlabelled and any(word.startswith("label") for word in near))


def _dominance(sentence: Sentence, facts: TileFacts) -> Iterator[str]:
    for place, word in _claims(sentence, facts):
        dominates = lexicon.has_stem(word, lexicon.DOMINANCE_STEMS)
        mostly = word in lexicon.MOSTLY or (word == "most" and _next_word(sentence, place) == "of")
        if not dominates and (not mostly or _near_sensor(sentence, place)):
            continue
        after_only = _next_word(sentence, place) in ("by", "of")
        meant = _referenced_classes(sentence, place, after_only=after_only)
        if meant and not any(facts.largest.name in token.names for token in meant):
            yield f"{word!r} describes {meant[0].text}, but {facts.largest.name} has the largest share"
        elif meant and facts.cover == "mixed":
            yield f"{word!r} is too strong: {facts.largest.name} has less than half of the mapped area"


def _referenced_classes(sentence: Sentence, place: int, *, after_only: bool = False) -> list[Token]:
    """Return the class that a word describes, or two if a word of the template may be a class; empty if none."""
    if after_only:
        following = Sentence(sentence.tokens[place:])
        found = [following.nearest(0, _is_class), following.nearest(0, _may_be_class)]
    else:
        found = [sentence.closest(place, _is_class), sentence.closest(place, _may_be_class)]
    return [token for token in found if token is not None]


def _superlatives(sentence: Sentence, facts: TileFacts) -> Iterator[str]:
    for place, word in _claims(sentence, facts):
        choice = _CHOICES.get(word)
        of_errors = _next_word(sentence, place).startswith(("error", "confus", "mistak"))
        if choice is None or of_errors or (word == "least" and _word_at(sentence, place - 1) == "at"):
            continue
        meant = _referenced_classes(sentence, place)
        figure = _figure(sentence, place, word)
        figures = {c.name: value for c in facts.classes if (value := figure(c)) is not None}
        extreme = {name for name, value in figures.items() if value == choice(list(figures.values()))}
        if meant and not any(extreme & token.names for token in meant):
            yield f"{word!r} describes {meant[0].text}, which the facts do not support"


_CHOICES: dict[str, Callable[[list[float]], float]] = {
    **dict.fromkeys(lexicon.MAXIMUM | lexicon.LARGEST, max),
    **dict.fromkeys(lexicon.MINIMUM | lexicon.SMALLEST, min),
}


def _figure(sentence: Sentence, place: int, word: str) -> Callable[[ClassFacts], float | None]:
    """Return the figure that a superlative compares: area for words of size, else that of the nearest keyword."""
    if word in lexicon.LARGEST | lexicon.SMALLEST:
        return _shown_area
    keyword = sentence.closest(place, lambda token: token.is_wording and bool(lexicon.kinds_of(token.text)))
    kinds = lexicon.kinds_of(keyword.text) if keyword else frozenset()
    if "confidence" in kinds:
        return lambda c: c.confidence_pct
    if "f1" in kinds:
        return lambda c: c.f1
    if kinds & {"iou", "accuracy"}:
        return lambda c: c.iou
    return (lambda c: c.iou) if word in lexicon.QUALITY and not kinds else _shown_area


def _shown_area(c: ClassFacts) -> float | None:
    return c.area_pct if c.area_pct >= MIN_SHARE_PCT else None


def _minor(sentence: Sentence, facts: TileFacts) -> Iterator[str]:
    for place, word in _claims(sentence, facts):
        meant = sentence.clause(place) if word in lexicon.MINOR else Sentence(())
        for token in meant.tokens:
            if any(c.name in token.names and c.area_pct >= NOT_MINOR_PCT for c in facts.classes) and _is_class(token):
                yield f"{word!r} describes {token.text}, which is not a small part of the tile"


def _composition(sentence: Sentence, facts: TileFacts) -> Iterator[str]:
    for place, word in _claims(sentence, facts):
        if word == "whole" and facts.cover != "uniform" and any(map(_is_class, sentence.clause(place).tokens)):
            yield f"{word!r}: no class covers the whole tile"
        if lexicon.has_stem(word, lexicon.MIXED_STEMS) and facts.cover == "uniform":
            yield f"{word!r}: the tile has a single class"
        if lexicon.has_stem(word, lexicon.UNIFORM_STEMS) and facts.cover != "uniform":
            yield f"{word!r}: the tile has several classes"


def _levels(sentence: Sentence, facts: TileFacts) -> Iterator[str]:
    """Yield levels that match neither the tile nor the classes named in the clause."""
    for place, word in _claims(sentence, facts):
        if not any(word in words for grades in lexicon.GRADES.values() for words in grades.values()):
            continue
        subject = sentence.closest(place, lambda token: token.is_wording and _axis(token.text) is not None)
        axis = _axis(subject.text) if subject else None
        if subject is None or axis is None:
            continue
        claimed = {grade for grade, words in lexicon.GRADES[axis].items() if word in words}
        named = _graded_classes(sentence, place, facts)
        true: set[str | None] = {c.confidence if axis == "confidence" else c.accuracy for c in named}
        if not named or not subject.text.startswith(("iou", "f1")):  # figures of classes only
            true.add(facts.levels()[axis])
        if claimed and claimed.isdisjoint(true):
            yield f"{word!r} describes the {subject.text}, but its level is {facts.levels()[axis] or 'unknown'}"


def _graded_classes(sentence: Sentence, place: int, facts: TileFacts) -> list[ClassFacts]:
    """Return the classes that a level may describe: those of its clause, else those named before it.

    Empty if the clause has no class and refers to the tile.
    """
    clause = sentence.clause(place)
    near = [token for token in clause.tokens if _is_class(token)]
    if not near and not clause.has_stem(lexicon.WHOLE_TILE):
        near = [token for token in sentence.tokens[:place] if _may_be_class(token)]
    return [c for c in facts.classes if any(c.name in token.names for token in near)]


def _axis(word: str) -> str | None:
    return next((axis for axis, stems in lexicon.GRADED.items() if word.startswith(stems)), None)


def _clouds(sentence: Sentence, facts: TileFacts) -> Iterator[str]:
    if (
        facts.clouds == "unknown"
        and sentence.has_word({"clear", "cloudless"})
        and any(map(_is_sensor, sentence.tokens))
    ):
        yield "The optical image is called clear, but its cloud cover is unknown"
    if not sentence.has_stem(("cloud",)):
        return
    mentions_clouds = any(slot.kind.startswith("clouds") for token in sentence.tokens for slot in token.slots)
    mentioned_as_class = any(token.plain and not token.names.isdisjoint(facts.names) for token in sentence.tokens)
    denied = sentence.has_word(lexicon.NEGATIONS | {"clear", "cloudless"})
    not_known = sentence.has_stem(lexicon.NOT_KNOWN)
    if facts.clouds == "none" and not mentions_clouds and not mentioned_as_class and not denied:
        yield "Clouds are mentioned, but the tile has none"
    masked = denied and sentence.has_word({"mask"})
    if facts.clouds == "unknown" and not mentions_clouds and not mentioned_as_class and not not_known and not masked:
        yield "Clouds are mentioned, but cloud cover is unknown: say so"
    if not_known and not facts.has_unknown_clouds and not mentioned_as_class:
        yield "Clouds are called unknown, but a cloud mask covers the tile"


def _sensors(sentence: Sentence, facts: TileFacts) -> Iterator[str]:
    """Yield claims about the sensor of the map that contradict the facts."""
    for place, word in _claims(sentence, facts):
        sensor = sentence.closest(place, _is_sensor)
        name = None if sensor is None else "optical" if sensor.text in lexicon.OPTICAL else "SAR"
        if name is None or not _near_sensor(sentence, place):
            continue
        if word in lexicon.EXCLUSIVE and facts.sensor != f"{name} only":
            yield f"{word!r} describes the {name} image, but the map relies on: {facts.sensor}"
        if word in lexicon.MOSTLY and facts.sensor not in (f"mostly {name}", f"{name} only"):
            yield f"{word!r} describes the {name} image, but the map relies on: {facts.sensor}"
        if word in lexicon.BALANCED and facts.sensor != "both":
            yield f"{word!r} describes the sensors, but the map relies on: {facts.sensor}"
    if facts.sensor.endswith("only") and sentence.has_word({"both"}) and sentence.has_stem(("sensor", "image")):
        yield f"'both' describes the sensors, but the map relies on: {facts.sensor}"


def _training_claims(sentence: Sentence, facts: TileFacts) -> Iterator[str]:
    """Yield claims that a class is missing in the training data although it is not."""
    for _, word in _claims(sentence, facts):
        if not lexicon.has_stem(word, lexicon.TRAINING_STEMS):
            continue
        if not facts.unseen:
            yield f"{word!r}: the facts have nothing on the training"
        for token in filter(_is_class, sentence.tokens):
            if token.names.isdisjoint(facts.unseen):
                yield f"{word!r} describes {token.text}, which is in the training data"


def _missing_labels(sentence: Sentence, facts: TileFacts) -> Iterator[str]:
    """Yield claims that the map misses a class although it does not."""
    if sentence.has_stem(lexicon.TRAINING_STEMS):
        return
    missed = {c.name for c in facts.missed}
    for _, word in _claims(sentence, facts):
        for token in filter(_is_class, sentence.tokens if word in lexicon.MISSING_WORDS else ()):
            if token.names.isdisjoint(missed):
                yield f"{word!r} describes {token.text}, which the facts do not support"


def _near_sensor(sentence: Sentence, place: int) -> bool:
    """Return whether a clause mentions a sensor and no class."""
    clause = sentence.clause(place)
    return any(map(_is_sensor, clause.tokens)) and not any(map(_is_class, clause.tokens))


def _is_sensor(token: Token) -> bool:
    return token.text in lexicon.OPTICAL or token.text in lexicon.SAR


def _is_class(token: Token) -> bool:
    return token.kind == "class" and not token.plain


def _may_be_class(token: Token) -> bool:
    return token.kind == "class"


def _word_at(sentence: Sentence, place: int) -> str:
    return sentence.tokens[place].text if 0 <= place < len(sentence.tokens) else ""


def _next_word(sentence: Sentence, place: int) -> str:
    return _word_at(sentence, place + 1)
