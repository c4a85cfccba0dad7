"""Explanations from a fixed template, used without a language model or if the model's text fails the check.

Equal facts give equal texts. The texts have slots (see `slots`).
"""

import re
from collections.abc import Iterator, Sequence
from string import Template

from clairemap.artefacts.explanations import ClassFacts, TileFacts

FOLLOWERS = 3
"""Number of classes named after the largest, and number of classes named as smaller shares."""

NOTABLE_GAP_PCT = 10
"""The class with the lowest confidence is named if it is this many percentage points below the tile's."""

COVER = {
    "uniform": Template("This tile is uniform: $name covers {area_pct.$name} of the mapped area"),
    "dominant": Template("In this tile, $name dominates, covering {area_pct.$name} of the mapped area"),
    "mixed": Template("This tile is mixed: $name has the largest share, {area_pct.$name} of the mapped area"),
}
SHARE = Template("$name ({area_pct.$name})")
FOLLOWED = Template(", followed by $shares")
REST = Template("Smaller shares belong to $shares.")
CONFIDENCE = {
    "high": "The mean confidence is high, {confidence_pct}.",
    "medium": "The mean confidence is medium, {confidence_pct}.",
    "low": "The mean confidence is low, {confidence_pct}: use this tile with caution.",
}
LEAST_CERTAIN = Template("Confidence is lowest for $name, {confidence_pct.$name}.")
SENSOR = {
    "optical only": "The map relies on the optical image alone.",
    "mostly optical": "The map relies mostly on the optical image, which has a weight of {optical_share_pct}.",
    "both": "The map relies on both sensors: the optical image has a weight of {optical_share_pct}.",
    "mostly SAR": "The map relies mostly on the SAR image: the optical image has a weight of {optical_share_pct}.",
    "SAR only": "The map relies on the SAR image alone.",
}
CLOUDS = "Clouds cover {cloud_pct} of the tile."
UNKNOWN_CLOUDS = "Cloud cover is unknown for {cloud_unknown_pct} of the tile, where a cloud mask is missing."
PARTIAL = "Valid data cover {mapped_pct} of the tile."
REGISTRATION = {
    "weak": "The registration of SAR and optical image is weak, so edges may be displaced.",
    "rejected": "The registration of SAR and optical image was rejected, so the SAR image may be displaced.",
}
ACCURACY = {
    "good": "Agreement with the labels is good: the map is correct for {oa_pct} of the labelled area.",
    "fair": "Agreement with the labels is fair: the map is correct for {oa_pct} of the labelled area.",
    "poor": "Agreement with the labels is poor: the map is correct for {oa_pct} of the labelled area.",
}
WEAK_CLASS = Template(
    "Agreement with the labels is $level: the map is correct for {oa_pct} of the labelled area, but $worst has an IoU "
    "of {iou.$worst}."
)
FEW_LABELS = "There are too few labels to estimate the accuracy."
UNSEEN = Template("The map is unreliable for $names, unseen in training.")
MISSED = Template("The map misses $names, which the labels contain.")
BEST = Template("The highest IoU is that of $best, {iou.$best}.")
ONE_IOU = Template("The IoU of $name is {iou.$name}.")
BEST_AND_WORST = Template(
    "Among the classes, $best has the highest IoU, {iou.$best}, and $worst the lowest, {iou.$worst}."
)
CONFUSED = Template("Of the $truth in the labels, {confused_pct.$truth>$mapped} is mapped as $mapped.")

_ALL = (COVER, SHARE, FOLLOWED, REST, CONFIDENCE, LEAST_CERTAIN, SENSOR, CLOUDS, PARTIAL, REGISTRATION, ACCURACY)
_ALL_MORE = (ONE_IOU, BEST_AND_WORST, CONFUSED, UNKNOWN_CLOUDS, WEAK_CLASS, FEW_LABELS, UNSEEN, MISSED, BEST)


def _words_of(phrases: Sequence[object]) -> Iterator[str]:
    for phrase in phrases:
        if isinstance(phrase, dict):
            yield from _words_of(list(phrase.values()))
        else:
            text = phrase.template if isinstance(phrase, Template) else str(phrase)
            yield from re.findall(r"[a-z0-9]+", re.sub(r"\{[^}]*\}|\$\w+", " ", text).casefold())


VOCABULARY = frozenset(_words_of([*_ALL, *_ALL_MORE, "and"]))
"""Words of the template. A class may have such a name ("clouds"); then the word alone does not mention the class."""


def template_text(facts: TileFacts) -> str:
    """Return the explanation of a tile, with slots. It passes the check for all facts."""
    return " ".join(
        [
            *_composition_sentence(facts),
            *_confidence_sentences(facts),
            SENSOR[facts.sensor],
            *([CLOUDS] if facts.clouds in ("some", "heavy") else []),
            *([UNKNOWN_CLOUDS] if facts.has_unknown_clouds else []),
            *([PARTIAL] if facts.mapped_pct < 100 else []),
            *([REGISTRATION[facts.registration]] if facts.registration in REGISTRATION else []),
            *([UNSEEN.substitute(names=_enumerated(facts.unseen))] if facts.unseen else []),
            *([FEW_LABELS] if facts.has_few_labels else []),
            *_accuracy_sentences(facts),
            *(CONFUSED.substitute(truth=pair.truth, mapped=pair.mapped) for pair in facts.confusions),
        ]
    )


def _composition_sentence(facts: TileFacts) -> Iterator[str]:
    followers = facts.shown[1 : 1 + FOLLOWERS]
    rest = facts.shown[1 + FOLLOWERS : 1 + 2 * FOLLOWERS]
    first = COVER[facts.cover].substitute(name=facts.largest.name)
    yield first + (FOLLOWED.substitute(shares=_shares(followers)) if followers else "") + "."
    if rest:
        yield REST.substitute(shares=_shares(rest))


def _shares(classes: Sequence[ClassFacts]) -> str:
    return _enumerated([SHARE.substitute(name=c.name) for c in classes])


def _enumerated(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _confidence_sentences(facts: TileFacts) -> Iterator[str]:
    yield CONFIDENCE[facts.confidence]
    pct, name = min((c.confidence_pct, c.name) for c in facts.classes if c.confidence_pct is not None)
    if pct <= facts.confidence_pct - NOTABLE_GAP_PCT:
        yield LEAST_CERTAIN.substitute(name=name)


def _accuracy_sentences(facts: TileFacts) -> Iterator[str]:
    if facts.accuracy is None:
        return
    weak = facts.worst
    yield ACCURACY[facts.accuracy] if weak is None else WEAK_CLASS.substitute(level=facts.accuracy, worst=weak.name)
    scored = [(c.iou, c.name) for c in facts.classes if c.iou is not None]
    best = max(scored, key=lambda pair: pair[0], default=None)
    worst = min(scored, key=lambda pair: pair[0], default=None)
    if best and worst and best[0] > worst[0]:
        is_named = weak is not None and worst[1] == weak.name
        yield (BEST if is_named else BEST_AND_WORST).substitute(best=best[1], worst=worst[1])
    elif best and weak is None:
        yield ONE_IOU.substitute(name=best[1])
    if missed := [c.name for c in facts.missed]:
        yield MISSED.substitute(names=_enumerated(missed[:FOLLOWERS]))
