"""Topics of a tile: what the map shows, from which sensors, and clouds."""

from collections.abc import Iterator
from dataclasses import replace

from clairemap.artefacts.explanations import ClassFacts, TileFacts
from clairemap.explain.accuracy_topics import measurable
from clairemap.explain.outline import Topic, Topics
from clairemap.explain.wording import listed, named, percent
from clairemap.levels import (
    FEW_PX,
    LEADING_GAP_PCT,
    MOST_PCT,
    NOTABLE_CLOUDS_PCT,
    PARTLY_MAPPED_PCT,
    SMALL_SHARE_PCT,
)


def lead(facts: TileFacts) -> Topics:
    """What the tile shows first."""
    about = (f"classes.{facts.largest.name}.area_pct", "mapped_pct")
    yield Topic("cover", "lead", tuple(_lead_wordings(facts)), about, salience=1)


def _lead_wordings(facts: TileFacts) -> Iterator[str]:
    first, name, share = facts.largest, named(facts.largest.name), percent(facts.largest.area_pct)
    second = _rival(facts)
    if not measurable(facts):
        yield f"Fewer than {FEW_PX} pixels of this tile are mapped, most often as {name}."
        yield f"With fewer than {FEW_PX} mapped pixels, this tile says little; its most frequent class is {name}."
    elif facts.mapped_pct < PARTLY_MAPPED_PCT:
        yield f"This tile is mapped in part ({percent(facts.mapped_pct)}), with {share} of that as {name}."
        yield f"The map covers {percent(facts.mapped_pct)} of this tile; {share} of that is {name}."
    elif first.mapped_px == facts.mapped_px:
        yield f"The whole mapped area of this tile is {name}."
        yield f"This tile shows a single class, {name}."
    elif first.area_pct >= MOST_PCT:
        yield f"Most of this tile is {name}, {share} of the mapped area."
        yield f"This tile is mainly {name}, with {share} of the mapped area."
    elif second:
        pair = f"{name} ({share}) and {named(second.name)} ({percent(second.area_pct)})"
        yield f"The two largest classes of this tile are {pair}."
        yield f"No single class prevails in this tile: the largest are {pair}."
    else:
        yield f"The largest class of this tile is {name}, with {share} of the mapped area."
        yield f"This tile is mixed; its largest class, {name}, covers {share} of the mapped area."


def other_classes(facts: TileFacts) -> Topics:
    """The classes after the largest."""
    larger = [c for c in facts.shown[1:] if c.area_pct >= SMALL_SHARE_PCT and c is not _rival(facts)][:2]
    if larger and measurable(facts):
        shares = " and ".join(f"{named(c.name)} ({percent(c.area_pct)})" for c in larger)
        next_classes = "next class by area is" if len(larger) == 1 else "next classes by area are"
        yield Topic(
            "next classes",
            "what",
            (f"The {next_classes} {shares}.", f"The map also shows {shares}."),
            tuple(f"classes.{c.name}.area_pct" for c in larger),
            salience=0.6,
        )
    small = [c.name for c in facts.shown[1:] if c.area_pct < SMALL_SHARE_PCT and c.mapped_px >= FEW_PX]
    if small:
        yield Topic(
            "small classes",
            "what",
            (f"Small areas are mapped as {listed(small)}.", f"There are also small areas of {listed(small)}."),
            tuple(f"classes.{name}.area_pct" for name in small),
            salience=0.3,
        )


def sensors(facts: TileFacts) -> Topics:
    """The sensors that decide, and their alignment."""
    shift = {
        "weak": "; their alignment is uncertain, so edges may be displaced",
        "rejected": "; the two could not be aligned, so they may be shifted against each other",
    }.get(facts.registration, "")
    alone = facts.sensor.endswith("only")
    yield Topic(
        "sensors",
        "why",
        _sensor_wordings(facts, shift),
        ("optical_share_pct", *(["registration"] if shift else [])),
        must_say=alone or bool(shift),
        salience=0.75 if alone or shift else 0.55,
    )


def _sensor_wordings(facts: TileFacts, shift: str) -> tuple[str, ...]:
    optical, sar = percent(facts.optical_share_pct), percent(100 - facts.optical_share_pct)
    if not measurable(facts) and not facts.sensor.endswith("only"):
        return (f"Both sensors have usable pixels in this tile{shift}.",)
    return {
        "optical only": (
            "The map is based on the optical image only, since there is no usable SAR here.",
            "Only the optical image decides here, as no SAR pixel of this tile is usable.",
        ),
        "SAR only": (
            "The map is based on SAR only, since no optical pixel of this tile is usable.",
            "Only SAR decides here, as the optical image has no usable pixel in this tile.",
        ),
        "mostly optical": (
            f"The optical image has most of the weight, {optical}, SAR the rest{shift}.",
            f"SAR has less weight here: {optical} is on the optical image{shift}.",
        ),
        "mostly SAR": (
            f"SAR has most of the weight, {sar}, the optical image the rest{shift}.",
            f"The optical image has less weight here: {sar} is on SAR{shift}.",
        ),
        "both": (
            f"Both sensors contribute to the map: the optical image has {optical} of the weight, SAR the rest{shift}.",
            f"The classes follow from both sensors, with {optical} of the weight on the optical image{shift}.",
        ),
    }[facts.sensor]


def clouds(facts: TileFacts) -> Topics:
    """Clouds, and where they are unknown.

    They need not be said where warnings of unseen classes and shifted bands fill a text of seven sentences.
    """
    must = not (facts.unseen and facts.reasons.shifted)
    hidden, unknown = percent(facts.cloud_pct or 0), percent(facts.cloud_unknown_pct)
    masked_part = f"Clouds hide at least {hidden} of this tile; for {unknown} there is no cloud mask."
    sar = "" if facts.sensor == "optical only" else ", where only SAR can be used"
    if facts.clouds in ("some", "heavy"):
        texts: tuple[str, ...] = (
            f"Clouds or their shadows hide {hidden} of this tile{sar}.",
            f"In the optical image, {hidden} of this tile is under clouds or their shadows{sar}.",
        )
        must = must and (facts.has_unknown_clouds or (facts.cloud_pct or 0) >= NOTABLE_CLOUDS_PCT)
        topic = _cloud_topic((masked_part,) if facts.has_unknown_clouds else texts, must_say=must)
        yield replace(topic, salience=0.75) if facts.clouds == "heavy" else topic
    elif facts.cloud_unknown_pct >= 100:
        yield _cloud_topic(("Whether clouds affect this tile is unknown, since it has no cloud mask.",), must_say=must)
    elif facts.has_unknown_clouds:
        text = f"For {unknown} of this tile there is no cloud mask, so clouds there are unknown."
        yield _cloud_topic((text,), must_say=must)
    elif facts.clouds == "none" and facts.sensor != "SAR only":
        yield _cloud_topic((f"The cloud mask marks {hidden} of this tile.",), must_say=False)


def _cloud_topic(wordings: tuple[str, ...], *, must_say: bool) -> Topic:
    about = ("cloud_pct", "cloud_unknown_pct")
    return Topic("clouds", "caveat", wordings, about, must_say, salience=0.65 if must_say else 0.2)


def _rival(facts: TileFacts) -> ClassFacts | None:
    """Return the second class if it is nearly as large as the largest."""
    second = facts.shown[1] if len(facts.shown) > 1 else None
    return second if second and facts.largest.area_pct - second.area_pct < LEADING_GAP_PCT else None
