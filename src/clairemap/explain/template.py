"""Explanations from a fixed template: what stands where no language model is used or its text failed the check.

The wording depends on the facts alone, so equal facts give equal texts. Written in the slot language of `slots`.
"""

import re
from collections.abc import Iterator, Sequence
from string import Template

from clairemap.explain.facts import ClassFacts, TileFacts

FOLLOWERS = 3
"""Classes named right after the largest; as many again are named as smaller ones."""

NOTABLE_GAP_PCT = 10
"""A class is named as the least certain if its confidence is this many points below the tile's."""

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
    "low": "The mean confidence is low, {confidence_pct}: read this tile with care.",
}
LEAST_CERTAIN = Template("Confidence is lowest for $name, {confidence_pct.$name}.")
SENSOR = {
    "optical only": "The map rests on the optical image alone.",
    "mostly optical": "The map rests mostly on the optical image, whose weight is {optical_share_pct}.",
    "both": "The map rests on both sensors: the optical image has a weight of {optical_share_pct}.",
    "mostly SAR": "The map rests mostly on the SAR image: the optical image has a weight of {optical_share_pct}.",
    "SAR only": "The map rests on the SAR image alone.",
}
CLOUDS = {
    "some": "Clouds hide {cloud_pct} of the tile in the optical image.",
    "heavy": "Clouds hide much of the tile in the optical image, {cloud_pct}.",
}
PARTIAL = "Usable data exist for {mapped_pct} of the tile."
REGISTRATION = {
    "weak": "The registration of SAR and optical image is weak, so edges may be displaced.",
    "rejected": "The registration of SAR and optical image was rejected, so the SAR image may be displaced.",
}
ACCURACY = {
    "good": "Agreement with the labels is good: the map is right for {oa_pct} of the labelled area.",
    "fair": "Agreement with the labels is fair: the map is right for {oa_pct} of the labelled area.",
    "poor": "Agreement with the labels is poor: the map is right for {oa_pct} of the labelled area.",
}
ONE_IOU = Template("The IoU of $name is {iou.$name}.")
BEST_AND_WORST = Template(
    "Among the classes, $best has the highest IoU, {iou.$best}, and $worst the lowest, {iou.$worst}."
)
CONFUSED = Template("Of the $truth in the labels, {confused_pct.$truth>$mapped} is mapped as $mapped.")

_ALL = (COVER, SHARE, FOLLOWED, REST, CONFIDENCE, LEAST_CERTAIN, SENSOR, CLOUDS, PARTIAL, REGISTRATION, ACCURACY)
_ALL_MORE = (ONE_IOU, BEST_AND_WORST, CONFUSED)


def _words(phrases: Sequence[object]) -> Iterator[str]:
    for phrase in phrases:
        if isinstance(phrase, dict):
            yield from _words(list(phrase.values()))
        else:
            text = phrase.template if isinstance(phrase, Template) else str(phrase)
            yield from re.findall(r"[a-z0-9]+", re.sub(r"\{[^}]*\}|\$\w+", " ", text).casefold())


VOCABULARY = frozenset(_words([*_ALL, *_ALL_MORE, "and"]))
"""Words of the template. A class may be called like one of them ("clouds"); then the word alone is no mention of it."""


def template_text(facts: TileFacts) -> str:
    """Return the explanation of a tile, with slots. It passes the check whatever the facts are."""
    return " ".join(
        [
            *_cover(facts),
            *_confidence(facts),
            SENSOR[facts.sensor],
            *([CLOUDS[facts.clouds]] if facts.clouds in CLOUDS else []),
            *([PARTIAL] if facts.mapped_pct < 100 else []),
            *([REGISTRATION[facts.registration]] if facts.registration in REGISTRATION else []),
            *_accuracy(facts),
        ]
    )


def _cover(facts: TileFacts) -> Iterator[str]:
    followers = facts.classes[1 : 1 + FOLLOWERS]
    rest = facts.classes[1 + FOLLOWERS : 1 + 2 * FOLLOWERS]
    first = COVER[facts.cover].substitute(name=facts.largest.name)
    yield first + (FOLLOWED.substitute(shares=_shares(followers)) if followers else "") + "."
    if rest:
        yield REST.substitute(shares=_shares(rest))


def _shares(classes: Sequence[ClassFacts]) -> str:
    shares = [SHARE.substitute(name=c.name) for c in classes]
    return " and ".join([", ".join(shares[:-1]), shares[-1]] if len(shares) > 1 else shares)


def _confidence(facts: TileFacts) -> Iterator[str]:
    yield CONFIDENCE[facts.confidence]
    least = min(facts.classes, key=lambda c: c.confidence_pct)
    if least.confidence_pct <= facts.confidence_pct - NOTABLE_GAP_PCT:
        yield LEAST_CERTAIN.substitute(name=least.name)


def _accuracy(facts: TileFacts) -> Iterator[str]:
    if facts.accuracy is None:
        return
    yield ACCURACY[facts.accuracy]
    scored = [(c.iou, c.name) for c in facts.classes if c.iou is not None]
    best = max(scored, key=lambda pair: pair[0], default=None)
    worst = min(scored, key=lambda pair: pair[0], default=None)
    if best and worst and best[0] > worst[0]:
        yield BEST_AND_WORST.substitute(best=best[1], worst=worst[1])
    elif best:
        yield ONE_IOU.substitute(name=best[1])
    for pair in facts.confusions:
        yield CONFUSED.substitute(truth=pair.truth, mapped=pair.mapped)
