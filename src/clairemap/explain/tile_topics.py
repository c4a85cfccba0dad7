"""What can be said about a tile: topics with sentences that are true of its facts.

To add a topic, write a function that yields it under the conditions that make its sentences true, and add it to
`TOPICS`. Sentences do not begin with a class name, have at most two figures, and format them by `wording`.
"""

from collections.abc import Callable, Iterator

from clairemap.artefacts.explanations import ClassFacts, TileFacts
from clairemap.explain.outline import Topic
from clairemap.explain.reason_topics import REASONS, check_topic
from clairemap.explain.wording import iou, listed, named, percent
from clairemap.levels import (
    CLASS_GAP_IOU,
    CLASS_GAP_PCT,
    FEW_PX,
    GOOD_IOU,
    LEADING_GAP_PCT,
    MOST_PCT,
    NOTABLE_CONFUSION_PCT,
    PARTLY_MAPPED_PCT,
    POOR_ACCURACY_PCT,
    POOR_IOU,
    SMALL_SHARE_PCT,
)

Topics = Iterator[Topic]


def tile_topics(facts: TileFacts) -> tuple[Topic, ...]:
    """Return all that can be said about a tile, with at least one topic each to lead, how sure, why and check."""
    found = [topic for topics in TOPICS for topic in topics(facts)]
    return (*found, *([] if any(topic.role == "check" for topic in found) else [_general_check(facts)]))


def failing(facts: TileFacts) -> tuple[ClassFacts, ...]:
    """Return the mapped classes with enough labels whose IoU is poor, or fair if they are relevant; worst first."""
    found = [
        c
        for c in facts.classes
        if c.iou is not None and c.confidence_pct is not None and c.iou < (GOOD_IOU if c.relevant else POOR_IOU)
    ]
    return tuple(sorted(found, key=lambda c: c.iou or 0.0))


def _unseen(facts: TileFacts) -> Topics:
    if facts.unseen:
        names, it = listed(facts.unseen), "it" if len(facts.unseen) == 1 else "them"
        yield Topic(
            "unseen",
            "caveat",
            (
                f"Do not rely on this tile for {names}: the network had no training pixels of {it}.",
                f"The network was never trained on {names}, so it cannot map {it} here.",
            ),
            ("unseen",),
            salience=1,
            warns=True,
        )


def _low_accuracy(facts: TileFacts) -> Topics:
    if facts.oa_pct is not None and facts.oa_pct < POOR_ACCURACY_PCT:
        right = percent(facts.oa_pct)
        yield Topic(
            "low accuracy",
            "how sure",
            (
                f"Do not trust this tile: the map agrees with only {right} of its labelled pixels.",
                f"This tile is unreliable, since only {right} of the labelled pixels are mapped as labelled.",
            ),
            ("oa_pct",),
            salience=0.95,
            warns=True,
        )


def _low_confidence(facts: TileFacts) -> Topics:
    if facts.confidence == "low" and _measurable(facts):
        mean = percent(facts.confidence_pct)
        yield Topic(
            "low confidence",
            "how sure",
            (
                f"Treat this tile with caution: the mean confidence of the network is low, {mean}.",
                f"The network is unsure of this tile, with a mean confidence of only {mean}.",
            ),
            ("confidence_pct",),
            salience=0.9,
            warns=True,
        )


def _lead(facts: TileFacts) -> Topics:
    about = (f"classes.{facts.largest.name}.area_pct", "mapped_pct")
    yield Topic("cover", "lead", tuple(_lead_wordings(facts)), about, salience=1)


def _lead_wordings(facts: TileFacts) -> Iterator[str]:
    first, name, share = facts.largest, named(facts.largest.name), percent(facts.largest.area_pct)
    second = _rival(facts)
    if not _measurable(facts):
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
        yield f"Two classes share the lead in this tile, {pair}."
        yield f"No single class prevails in this tile: the largest are {pair}."
    else:
        yield f"The largest class of this tile is {name}, with {share} of the mapped area."
        yield f"This tile is mixed; its largest class, {name}, covers {share} of the mapped area."


def _others(facts: TileFacts) -> Topics:
    larger = [c for c in facts.shown[1:] if c.area_pct >= SMALL_SHARE_PCT and c is not _rival(facts)][:2]
    if larger and _measurable(facts):
        shares = " and ".join(f"{named(c.name)} ({percent(c.area_pct)})" for c in larger)
        come = "comes" if len(larger) == 1 else "come"
        lead = listed([c.name for c in (facts.largest, _rival(facts)) if c])
        yield Topic(
            "next classes",
            "what",
            (f"Next in area after {lead} {come} {shares}.", f"The map also shows {shares}."),
            tuple(f"classes.{c.name}.area_pct" for c in larger),
            salience=0.6,
        )
    small = [c.name for c in facts.shown[1:] if c.area_pct < SMALL_SHARE_PCT and c.mapped_px >= FEW_PX]
    if small:
        yield Topic(
            "small classes",
            "what",
            (f"Small areas are {listed(small)}.", f"There are also small areas of {listed(small)}."),
            tuple(f"classes.{name}.area_pct" for name in small),
            salience=0.3,
        )


def _confidence(facts: TileFacts) -> Topics:
    if not _measurable(facts):
        yield Topic(
            "few pixels",
            "how sure",
            (f"How reliable the map is here cannot be judged from fewer than {FEW_PX} pixels.",),
            ("mapped_px",),
            must_say=True,
        )
    elif facts.confidence != "low":
        mean = percent(facts.confidence_pct)
        how = "confident here" if facts.confidence == "high" else "moderately confident here"
        yield Topic(
            "confidence",
            "how sure",
            (
                f"The network is {how}: its mean confidence is {mean}.",
                f"With a mean confidence of {mean}, the network is {how}.",
            ),
            ("confidence_pct",),
            must_say=True,
            salience=0.7,
        )


def _least_sure(facts: TileFacts) -> Topics:
    c = _least_confident(facts)
    if c is not None and c.confidence_pct is not None:
        name, mean = named(c.name), percent(c.confidence_pct)
        yield Topic(
            "least sure",
            "how sure",
            (
                f"The network is less sure of {name} than of the rest, with a mean confidence of {mean}.",
                f"Confidence is lowest for {name} ({mean} on average).",
            ),
            (f"classes.{c.name}.confidence_pct",),
            salience=0.5,
        )


def _accuracy(facts: TileFacts) -> Topics:
    if facts.oa_pct is None:
        yield _without_accuracy(facts)
    elif facts.oa_pct >= POOR_ACCURACY_PCT:
        right = percent(facts.oa_pct)
        some = "" if not (facts.missed or failing(facts)) else ", but not all classes do well"
        yield Topic(
            "accuracy",
            "how sure",
            (
                f"Where there are labels, {right} of the pixels are mapped as labelled{some}.",
                f"The map agrees with {right} of the labelled pixels{some}.",
            ),
            ("oa_pct",),
            must_say=not some,
            salience=0.65,
        )


def _without_accuracy(facts: TileFacts) -> Topic:
    if facts.labelled_px:
        texts: tuple[str, ...] = ("There are too few labels in this tile to measure its accuracy.",)
    else:
        texts = (
            "The accuracy of this tile was not measured, since it has no labels.",
            "Without labels in this tile, its accuracy is unknown.",
        )
    return Topic("no accuracy", "how sure", texts, ("labelled_px",), must_say=True, salience=0.6)


def _weak_classes(facts: TileFacts) -> Topics:
    """Classes that the map misses or gets wrong: said in each text, unless it warns of the whole tile already."""
    must = facts.oa_pct is not None and facts.oa_pct >= POOR_ACCURACY_PCT
    if missed := [c.name for c in facts.missed]:
        names, it = listed(missed), "it" if len(missed) == 1 else "them"
        yield Topic(
            "missed classes",
            "how sure",
            (
                f"The labels contain {names}, but no pixel of this tile is mapped so.",
                f"Nothing is mapped as {names} here, although the labels contain {it}.",
            ),
            tuple(f"classes.{name}.iou" for name in missed),
            must_say=must,
            salience=0.8,
        )
    if weak := failing(facts):
        name, figure = named(weak[0].name), iou(weak[0].iou or 0.0)
        how = "poorly" if weak[0].accuracy == "poor" else "only fairly well"
        others = listed([c.name for c in weak[1:]])
        rest = f"; {others} {'is' if len(weak) == 2 else 'are'} weak too" if others else ""
        yield Topic(
            "weak classes",
            "how sure",
            (
                f"The map matches the labels {how} for {name}, with an IoU of {figure}{rest}.",
                f"Against the labels, {name} is mapped {how} (IoU {figure}){rest}.",
            ),
            tuple(f"classes.{c.name}.iou" for c in weak),
            must_say=must and not missed,
            salience=0.75,
        )


def _best_and_worst(facts: TileFacts) -> Topics:
    scored = sorted((c for c in facts.classes if c.iou is not None), key=lambda c: -(c.iou or 0.0))
    if len(scored) >= 3 and not facts.missed and not failing(facts):
        best, worst = scored[0], scored[-1]
        if (best.iou or 0.0) - (worst.iou or 0.0) >= CLASS_GAP_IOU:
            yield Topic(
                "best and worst",
                "how sure",
                (
                    f"Of the {len(scored)} classes with enough labels, {named(best.name)} is mapped best and "
                    f"{named(worst.name)} least well.",
                ),
                (f"classes.{best.name}.iou", f"classes.{worst.name}.iou"),
                salience=0.35,
            )


def _confusions(facts: TileFacts) -> Topics:
    for place, pair in enumerate(facts.confusions):
        truth, mapped, share = named(pair.truth), named(pair.mapped), percent(pair.pct)
        yield Topic(
            f"confusion {place + 1}",
            "how sure",
            (
                f"Of the pixels labelled {truth}, {share} are mapped as {mapped}.",
                f"The map shows {mapped} for {share} of the pixels that are labelled {truth}.",
            ),
            (f"confusions.{pair.truth}.{pair.mapped}",),
            salience=min(0.4 + pair.pct / 100, 0.7) - place / 100,
        )


def _sensors(facts: TileFacts) -> Topics:
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
    if not _measurable(facts) and not facts.sensor.endswith("only"):
        return (f"Both sensors have usable pixels in this tile{shift}.",)
    return {
        "optical only": (
            "The map rests on the optical image alone, since there is no usable SAR here.",
            "Only the optical image decides here, as no SAR pixel of this tile is usable.",
        ),
        "SAR only": (
            "The map rests on SAR alone, since no optical pixel of this tile is usable.",
            "Only SAR decides here, as the optical image has no usable pixel in this tile.",
        ),
        "mostly optical": (
            f"The optical image decides most, with {optical} of the weight, SAR the rest{shift}.",
            f"SAR has less say here: {optical} of the weight is on the optical image{shift}.",
        ),
        "mostly SAR": (
            f"SAR decides most, with {sar} of the weight, the optical image the rest{shift}.",
            f"The optical image has less say here: {sar} of the weight is on SAR{shift}.",
        ),
        "both": (
            f"Both sensors shape the map: the optical image has {optical} of the weight, SAR the rest{shift}.",
            f"The classes follow from both sensors, with {optical} of the weight on the optical image{shift}.",
        ),
    }[facts.sensor]


def _clouds(facts: TileFacts) -> Topics:
    hidden, unknown = percent(facts.cloud_pct or 0), percent(facts.cloud_unknown_pct)
    masked_part = f"Clouds hide at least {hidden} of this tile; for {unknown} there is no cloud mask."
    sar = "" if facts.sensor == "optical only" else ", where only SAR can be used"
    if facts.clouds in ("some", "heavy"):
        texts: tuple[str, ...] = (
            f"Clouds or their shadows hide {hidden} of this tile{sar}.",
            f"In the optical image, {hidden} of this tile is under clouds or their shadows{sar}.",
        )
        yield _cloud_topic((masked_part,) if facts.has_unknown_clouds else texts, must_say=True)
    elif facts.cloud_unknown_pct >= 100:
        yield _cloud_topic(("Whether clouds affect this tile is unknown, since it has no cloud mask.",), must_say=True)
    elif facts.has_unknown_clouds:
        text = f"Whether clouds affect it is unknown for {unknown} of this tile, where there is no cloud mask."
        yield _cloud_topic((text,), must_say=True)
    elif facts.clouds == "none" and facts.sensor != "SAR only":
        yield _cloud_topic((f"The cloud mask marks {hidden} of this tile.",), must_say=False)


def _cloud_topic(wordings: tuple[str, ...], *, must_say: bool) -> Topic:
    about = ("cloud_pct", "cloud_unknown_pct")
    return Topic("clouds", "caveat", wordings, about, must_say, salience=0.65 if must_say else 0.2)


def _general_check(facts: TileFacts) -> Topic:
    """Return what to check where no figure points to anything."""
    if len(facts.shown) > 1:
        return Topic(
            "check edges",
            "check",
            (
                "Nothing measured stands out; if you check something, check the edges between classes.",
                "No figure points to a certain place to check, so look at the edges between classes.",
            ),
            (),
        )
    name = named(facts.largest.name)
    return Topic(
        "check others",
        "check",
        (
            f"Check with another source whether this tile contains anything but {name}.",
            f"What is left to check is whether there is anything but {name}.",
        ),
        (f"classes.{facts.largest.name}.area_pct",),
    )


def _checks(facts: TileFacts) -> Topics:
    if missed := [c.name for c in facts.missed]:
        names = listed(missed)
        yield check_topic(
            "missed", f"look for {names}, which the labels contain and the map lacks", f"classes.{missed[0]}.iou", 0.9
        )
    if weak := failing(facts):
        name = weak[0].name
        yield check_topic(
            "weak", f"check {named(name)}, which does not match the labels well", f"classes.{name}.iou", 0.8
        )
    if facts.unseen:
        yield check_topic("unseen", f"look in another source for {listed(facts.unseen)}", "unseen", 0.85)
    if c := _least_confident(facts):
        yield check_topic(
            "unsure",
            f"check {named(c.name)}, where the network is less sure than elsewhere",
            f"classes.{c.name}.confidence_pct",
            0.6,
        )
    if facts.confusions and facts.confusions[0].pct >= NOTABLE_CONFUSION_PCT:
        pair = facts.confusions[0]
        check = f"see whether areas mapped as {named(pair.mapped)} are in fact {named(pair.truth)}"
        yield check_topic("confused", check, f"confusions.{pair.truth}.{pair.mapped}", 0.7)
    if facts.clouds == "heavy":
        yield check_topic("clouds", "compare the clouded part with a clear image", "cloud_pct", 0.5)
    if facts.registration in ("weak", "rejected"):
        yield check_topic("edges", "check whether edges lie where the optical image shows them", "registration", 0.55)


def _measurable(facts: TileFacts) -> bool:
    return facts.mapped_px >= FEW_PX


def _rival(facts: TileFacts) -> ClassFacts | None:
    """Return the second class if it is nearly as large as the largest."""
    second = facts.shown[1] if len(facts.shown) > 1 else None
    return second if second and facts.largest.area_pct - second.area_pct < LEADING_GAP_PCT else None


def _least_confident(facts: TileFacts) -> ClassFacts | None:
    """Return the class with the lowest confidence if it is clearly below the tile's and has enough pixels."""
    known = [c for c in facts.shown if c.mapped_px >= FEW_PX and c.confidence_pct is not None]
    lowest = min(known, key=lambda c: c.confidence_pct or 0, default=None)
    if lowest is None or (lowest.confidence_pct or 0) > facts.confidence_pct - CLASS_GAP_PCT:
        return None
    return lowest


TOPICS: tuple[Callable[[TileFacts], Topics], ...] = (
    _unseen,
    _low_accuracy,
    _low_confidence,
    _lead,
    _others,
    _confidence,
    _least_sure,
    _accuracy,
    _weak_classes,
    _best_and_worst,
    _confusions,
    _sensors,
    _clouds,
    _checks,
    *REASONS,
)
