"""Topics of a tile: how sure the map is, by training, confidence and labels."""

from clairemap.artefacts.explanations import ClassFacts, TileFacts
from clairemap.artefacts.tile_reasons import TileReasons
from clairemap.explain.outline import Topic, Topics
from clairemap.explain.wording import (
    accuracy_phrase,
    confused,
    listed,
    named,
    other_weak_classes,
    percent,
    percentage_points,
)
from clairemap.levels import CLASS_GAP_IOU, CLASS_GAP_PCT, FEW_PX, GOOD_IOU, POOR_ACCURACY_PCT, POOR_IOU


def unseen(facts: TileFacts) -> Topics:
    """Classes without training pixels."""
    if facts.unseen:
        names, it = listed(facts.unseen), "it" if len(facts.unseen) == 1 else "them"
        texts = (
            f"Do not rely on this tile for {names}: the network had no training pixels of {it}.",
            f"The network was never trained on {names}, so it cannot map {it} here.",
        )
        yield Topic("unseen", "caveat", texts, ("unseen",), salience=1, warns=True)


def low_accuracy(facts: TileFacts) -> Topics:
    """A poor overall accuracy."""
    if facts.oa_pct is not None and facts.oa_pct < POOR_ACCURACY_PCT:
        right = percent(facts.oa_pct)
        texts = (
            f"Do not trust this tile: the map agrees with only {right} of its labelled pixels.",
            f"This tile is unreliable, since only {right} of the labelled pixels are mapped as labelled.",
        )
        yield Topic("low accuracy", "how sure", texts, ("oa_pct",), salience=0.95, warns=True)


def low_confidence(facts: TileFacts) -> Topics:
    """A low mean confidence."""
    if facts.confidence == "low" and measurable(facts):
        mean = percent(facts.confidence_pct)
        texts = (
            f"Treat this tile with caution: the mean confidence of the network is low, {mean}.",
            f"The network is unsure of this tile, with a mean confidence of only {mean}.",
        )
        yield Topic("low confidence", "how sure", texts, ("confidence_pct",), salience=0.9, warns=True)


def confidence(facts: TileFacts) -> Topics:
    """The mean confidence, unless it is low."""
    if not measurable(facts):
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
        texts = (
            f"The network is {how}: on average, it gives the mapped class a probability of {mean}.",
            f"With a mean confidence of {mean}, the network is {how}.",
        )
        yield Topic(
            "confidence",
            "how sure",
            texts,
            ("confidence_pct",),
            must_say=facts.oa_pct is None,
            salience=0.7 if facts.oa_pct is None else 0.45,
        )


def least_sure(facts: TileFacts) -> Topics:
    """The class with the lowest confidence."""
    c = least_confident(facts)
    if c is not None and c.confidence_pct is not None:
        name, mean = named(c.name), percent(c.confidence_pct)
        texts = (
            f"The network is less sure of {name} than of the rest, with a mean confidence of {mean}.",
            f"Confidence is lowest for {name} ({mean} on average).",
        )
        yield Topic("least sure", "how sure", texts, (f"classes.{c.name}.confidence_pct",), salience=0.5)


def accuracy(facts: TileFacts) -> Topics:
    """The overall accuracy, unless it is poor."""
    if facts.oa_pct is None:
        yield _without_accuracy(facts)
    elif facts.oa_pct >= POOR_ACCURACY_PCT:
        right = percent(facts.oa_pct)
        some = "" if not (facts.missed or failing(facts)) else ", but not all classes do well"
        texts = (
            f"Where there are labels, {right} of the pixels are mapped as labelled{some}.",
            f"The map agrees with {right} of the labelled pixels{some}.",
        )
        yield Topic(
            "accuracy", "how sure", texts, ("oa_pct",), must_say=not some or facts.confidence != "low", salience=0.78
        )


def _without_accuracy(facts: TileFacts) -> Topic:
    elsewhere, keys = _confidence_elsewhere(facts.reasons)
    if facts.labelled_px:
        texts: tuple[str, ...] = (f"There are too few labels in this tile to measure its accuracy{elsewhere}.",)
    else:
        texts = (
            f"The accuracy of this tile was not measured, since it has no labels{elsewhere}.",
            f"Without labels in this tile, its accuracy is unknown{elsewhere}.",
        )
    return Topic("no accuracy", "how sure", texts, ("labelled_px", *keys), must_say=True, salience=0.6)


def _confidence_elsewhere(reasons: TileReasons) -> tuple[str, tuple[str, ...]]:
    """Return how far confidence is off in other scenes, as the end of a sentence, and the keys of its facts.

    Both are empty if it is not known on how many scenes the confidence was calibrated.
    """
    unseen = reasons.unseen
    if unseen is not None:
        mean, worst = (percentage_points(100 * error) for error in (unseen.ece_mean, unseen.ece_worst))
        scenes, rest = ("a scene", "") if unseen.scenes == 1 else ("scenes", f" on average and by {worst} at worst")
        return f"; on {scenes} without training tiles, the confidence was off by {mean}{rest}", ("reasons.unseen",)
    if reasons.calibration_scenes is None:
        return "", ()
    several = "; how far the confidence is off in other scenes is not known"
    single = "; the confidence was calibrated on a single scene and may be less reliable in others"
    return single if reasons.calibration_scenes == 1 else several, ("reasons.calibration_scenes",)


def weak_classes(facts: TileFacts) -> Topics:
    """Classes that the map misses or gets wrong: said in each text, unless it warns of the whole tile already."""
    must = facts.oa_pct is not None and facts.oa_pct >= POOR_ACCURACY_PCT
    if missed := [c.name for c in facts.missed]:
        names, it = listed(missed), "it" if len(missed) == 1 else "them"
        texts = (
            f"The labels contain {names}, but the map shows none in this tile.",
            f"Nothing is mapped as {names} here, although the labels contain {it}.",
        )
        yield Topic(
            "missed classes",
            "how sure",
            texts,
            tuple(f"classes.{name}.iou" for name in missed),
            must_say=must,
            salience=0.8,
        )
    if weak := failing(facts):
        name = named(weak[0].name)
        figures = accuracy_phrase(weak[0].name, weak[0].producers_pct or 0, weak[0].users_pct)
        how = "poorly" if weak[0].accuracy == "poor" else "only fairly well"
        rest = other_weak_classes([c.name for c in weak[1:]])
        texts = (
            f"The map matches the labels {how} for {name}: it {figures}{rest}.",
            f"Against the labels, {name} is mapped {how}: the map {figures}{rest}.",
        )
        yield Topic(
            "weak classes",
            "how sure",
            texts,
            (
                f"classes.{weak[0].name}.producers_pct",
                f"classes.{weak[0].name}.users_pct",
                *(f"classes.{c.name}.iou" for c in weak),
            ),
            must_say=must and not missed,
            salience=0.75,
        )


def best_and_worst(facts: TileFacts) -> Topics:
    """The best and the worst of at least three classes."""
    scored = sorted((c for c in facts.classes if c.iou is not None), key=lambda c: -(c.iou or 0.0))
    if len(scored) >= 3 and not facts.missed and not failing(facts):
        best, worst = scored[0], scored[-1]
        if (best.iou or 0.0) - (worst.iou or 0.0) >= CLASS_GAP_IOU:
            texts = (
                (
                    f"Of the {len(scored)} classes with enough labels, {named(best.name)} is mapped best and "
                    f"{named(worst.name)} least well."
                ),
            )
            yield Topic(
                "best and worst",
                "how sure",
                texts,
                (f"classes.{best.name}.iou", f"classes.{worst.name}.iou"),
                salience=0.35,
            )


def confusions(facts: TileFacts) -> Topics:
    """The largest confusions."""
    for place, pair in enumerate(facts.confusions):
        yield Topic(
            f"confusion {place + 1}",
            "how sure",
            confused(pair.truth, pair.mapped, pair.pct),
            (f"confusions.{pair.truth}.{pair.mapped}",),
            salience=min(0.4 + pair.pct / 100, 0.7) - place / 100,
        )


def failing(facts: TileFacts) -> tuple[ClassFacts, ...]:
    """Return the mapped classes with enough labels whose IoU is poor, or fair if they are relevant; worst first."""
    found = [
        c
        for c in facts.classes
        if c.iou is not None and c.confidence_pct is not None and c.iou < (GOOD_IOU if c.relevant else POOR_IOU)
    ]
    return tuple(sorted(found, key=lambda c: c.iou or 0.0))


def least_confident(facts: TileFacts) -> ClassFacts | None:
    """Return the class with the lowest confidence if it is clearly below the tile's and has enough pixels."""
    known = [c for c in facts.shown if c.mapped_px >= FEW_PX and c.confidence_pct is not None]
    lowest = min(known, key=lambda c: c.confidence_pct or 0, default=None)
    if lowest is None or (lowest.confidence_pct or 0) > facts.confidence_pct - CLASS_GAP_PCT:
        return None
    return lowest


def measurable(facts: TileFacts) -> bool:
    """Return whether enough pixels are mapped for percentages."""
    return facts.mapped_px >= FEW_PX
