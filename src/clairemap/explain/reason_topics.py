"""What can be said about the reasons for a tile's map: topics like those of `tile_topics`."""

from collections.abc import Iterator

from clairemap.artefacts.explanations import TileFacts
from clairemap.artefacts.tile_reasons import ClassReasons, Deviation, MayBeMissed, WithoutSensor
from clairemap.explain.accuracy_topics import measurable
from clairemap.explain.outline import Topic, Topics
from clairemap.explain.wording import deviations, listed, named, percent
from clairemap.levels import (
    CLOSE_MARGIN_PCT,
    LITTLE_CHANGE_PCT,
    MANY_EDGES_PCT,
    MANY_ISOLATED_PCT,
    NOTABLE_CHANGE_PCT,
    POOR_ACCURACY_PCT,
    SENSOR_GAP_PCT,
)

SENSORS = {"optical": "the optical image", "sar": "SAR"}


def shifted_bands(facts: TileFacts) -> Topics:
    """Bands that differ from training: said first, since the map may follow from the shift."""
    if found := facts.reasons.shifted:
        first = found[0]
        how = f"{deviations(first.deviations)} {_above(first)}"
        others = [each.quantity for each in found[1:]]
        more = f" ({listed(others, 'bands')} {'differs' if len(others) == 1 else 'differ'} too)" if others else ""
        texts = (
            f"Be careful with this tile: its {named(first.quantity)} values are {how} those of training{more}.",
            (
                f"This tile differs from the training images: its {named(first.quantity)} values are {how} their "
                f"mean{more}."
            ),
        )
        yield Topic(
            "shifted bands",
            "caveat",
            texts,
            tuple(f"reasons.shifted.{each.quantity}" for each in found),
            salience=0.97,
            warns=True,
        )


def sensors_by_class(facts: TileFacts) -> Topics:
    """What the map would show without a sensor, and classes for which the sensors' weights differ."""
    for place, (c, change) in enumerate(needed_sensors(facts)[:2]):
        share, name, other = percent(change.instead_pct), named(c.name), named(change.instead or "")
        sensor, area = SENSORS[change.sensor], f"{share} of the area mapped as {name}"
        texts = (
            f"Without {sensor}, {area} would be mapped as {other}.",
            f"{sensor[0].upper()}{sensor[1:]} keeps {area} from being mapped as {other}.",
        )
        yield Topic(
            f"without sensor {place + 1}",
            "why",
            texts,
            (f"reasons.classes.{c.name}.without.{change.sensor}",),
            salience=0.68 - place / 100,
        )
    for sensor in ("optical", "sar"):
        of_sensor = [(c, change) for c, change in _changes(facts) if change.sensor == sensor]
        if any(change.changed_pct >= NOTABLE_CHANGE_PCT for _, change in of_sensor):
            continue
        px = sum(c.px for c, _ in of_sensor)
        if px and sum(c.px * change.changed_pct for c, change in of_sensor) / px < LITTLE_CHANGE_PCT:
            yield Topic(
                f"hardly changes without {sensor}",
                "why",
                (f"Without {SENSORS[sensor]}, the map of this tile would hardly change.",),
                tuple(f"reasons.classes.{c.name}.without.{sensor}" for c, _ in of_sensor),
                salience=0.56,
            )
    yield from _weights_by_class(facts)


def needed_sensors(facts: TileFacts) -> list[tuple[ClassReasons, WithoutSensor]]:
    """Return classes of which much would be mapped as another one without a sensor; the largest area first."""
    found = [(c, change) for c, change in _changes(facts) if change.instead_pct >= NOTABLE_CHANGE_PCT]
    return sorted(found, key=lambda each: -each[1].changed_pct * each[0].px)


def _changes(facts: TileFacts) -> Iterator[tuple[ClassReasons, WithoutSensor]]:
    return ((c, change) for c in facts.reasons.classes for change in c.without)


def _weights_by_class(facts: TileFacts) -> Topics:
    if facts.sensor.endswith("only"):
        return
    differing = [
        c for c in facts.reasons.classes if abs(c.optical_share_pct - facts.optical_share_pct) >= SENSOR_GAP_PCT
    ]
    if differing:
        c = max(differing, key=lambda each: abs(each.optical_share_pct - facts.optical_share_pct))
        more = c.optical_share_pct > facts.optical_share_pct
        weight = percent(c.optical_share_pct if more else 100 - c.optical_share_pct)
        sensor = SENSORS["optical" if more else "sar"]
        texts = (
            f"For {named(c.name)}, {sensor} counts more than elsewhere in this tile, with {weight} of the weight.",
            f"Where {named(c.name)} is mapped, {sensor} has {weight} of the weight, more than elsewhere.",
        )
        yield Topic(
            "weight by class",
            "why",
            texts,
            (f"reasons.classes.{c.name}.optical_share_pct", "optical_share_pct"),
            salience=0.57,
        )


def signatures(facts: TileFacts) -> Topics:
    """Whether the pixels of a class look as they did in training."""
    if c := least_typical(facts):
        first = c.unusual[0]
        name, quantity = named(c.name), named(first.quantity)
        how = f"{deviations(first.deviations)} {_above(first)}"
        texts = (
            f"The area mapped as {name} looks unusual for it: {quantity} is {how} its mean in training.",
            f"In training, {name} looked different: here its {quantity} is {how} the mean.",
        )
        yield Topic(
            "unusual class", "how sure", texts, (f"reasons.classes.{c.name}.unusual.{first.quantity}",), salience=0.74
        )
    typical = [c for c in facts.reasons.classes if c.compared and not c.unusual]
    if typical and typical[0].name == facts.largest.name and not needed_sensors(facts):
        name = named(typical[0].name)
        texts = (
            f"The area mapped as {name} looks like {name} in the training images.",
            f"The pixel values of the area mapped as {name} are typical of {name} in training.",
        )
        yield Topic("typical class", "why", texts, (f"reasons.classes.{typical[0].name}.compared",), salience=0.58)


def runner_up(facts: TileFacts) -> Topics:
    """The class whose second candidate is nearly as probable."""
    if c := closest_decision(facts):
        name, other = named(c.name), named(c.runner_up)
        texts = (
            f"Where {name} is mapped, {other} is nearly as probable.",
            f"It was a close decision between {name} and {other} where {name} is mapped.",
        )
        yield Topic("runner-up", "how sure", texts, (f"reasons.classes.{c.name}.margin_pct",), salience=0.55)


def track_record(facts: TileFacts) -> Topics:
    """How often such pixels were right in validation: of the worst class if that is poor, else of the largest."""
    known = [(c, c.record) for c in facts.reasons.classes if c.record]
    if not known:
        return
    worst = min(known, key=lambda each: each[1].right_pct)
    c, record = worst if worst[1].right_pct < POOR_ACCURACY_PCT else known[0]
    right, name = percent(record.right_pct), named(c.name)
    often = "only " if record.right_pct < POOR_ACCURACY_PCT else ""
    texts = (
        f"In validation, {often}{right} of the pixels mapped as {name} with similar confidence were right.",
        f"Of validation pixels mapped as {name} with similar confidence, {often}{right} were right.",
    )
    yield Topic(
        "track record", "how sure", texts, (f"reasons.classes.{c.name}.record",), salience=0.73 if often else 0.5
    )


def pattern(facts: TileFacts) -> Topics:
    """Many edges or isolated pixels, where maps are least reliable."""
    reasons = facts.reasons
    if not measurable(facts):
        return
    if reasons.isolated_pct >= MANY_ISOLATED_PCT:
        texts = (
            (
                f"Single pixels among other classes make up {percent(reasons.isolated_pct)} of the map, which is often "
                "noise."
            ),
        )
        yield Topic("isolated pixels", "how sure", texts, ("reasons.isolated_pct",), salience=0.5)
    if reasons.edge_pct >= MANY_EDGES_PCT:
        texts = (
            (
                f"The classes are small-scale: {percent(reasons.edge_pct)} of the pixels are at an edge, where maps "
                "are least reliable."
            ),
        )
        yield Topic("many edges", "how sure", texts, ("reasons.edge_pct",), salience=0.45)


def may_be_missed(facts: TileFacts) -> Topics:
    """Classes that are more probable than their mapped area shows."""
    if first := most_missed(facts):
        name = named(first.name)
        expected = percent(first.expected_pct)
        mapped = "none is mapped" if first.mapped_pct == 0 else f"{percent(first.mapped_pct)} is mapped"
        texts = (
            f"There may be more {name} than the map shows: the probabilities add up to {expected}, but {mapped}.",
            (
                f"Some {name} may be missing, since its probabilities add up to {expected} of the mapped area, but "
                f"{mapped}."
            ),
        )
        yield Topic("may be missed", "how sure", texts, (f"reasons.may_be_missed.{first.name}",), salience=0.7)


def _above(deviation: Deviation) -> str:
    return "above" if deviation.deviations > 0 else "below"


def least_typical(facts: TileFacts) -> ClassReasons | None:
    """Return the class whose pixels differ most from its training pixels, if one differs clearly."""
    unusual = [c for c in facts.reasons.classes if c.unusual]
    return max(unusual, key=lambda c: abs(c.unusual[0].deviations), default=None)


def closest_decision(facts: TileFacts) -> ClassReasons | None:
    """Return the class whose second candidate is most nearly as probable, if a decision is close."""
    close = [c for c in facts.reasons.classes if c.margin_pct < CLOSE_MARGIN_PCT]
    return min(close, key=lambda c: c.margin_pct, default=None)


def most_missed(facts: TileFacts) -> MayBeMissed | None:
    """Return the class of which most may be missing, if enough pixels are mapped to judge that."""
    return next(iter(facts.reasons.may_be_missed), None) if measurable(facts) else None
