"""What can be said about a region's map: topics with sentences that are true of its metrics and tiles.

As in `tile_topics`: to add a topic, write a function and add it to `TOPICS`.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from clairemap.artefacts.explanations import ExplainedTile, SensorUse
from clairemap.artefacts.metrics import ClassRow, RegionMetrics, largest_error
from clairemap.artefacts.tiles import TileId
from clairemap.explain.check_topics import what_to_check
from clairemap.explain.outline import Outline, Topic, Topics
from clairemap.explain.wording import (
    accuracy_phrase,
    confused,
    falsely_mapped,
    listed,
    named,
    other_weak_classes,
    percent,
)
from clairemap.levels import GOOD_IOU, LOW_CONFIDENCE_PCT, POOR_ACCURACY_PCT

MAX_SENTENCES = 10
ONE_SENSOR: dict[SensorUse, str] = {
    "optical only": "The map is based on the optical image only, since no SAR pixel is usable.",
    "SAR only": "The map is based on SAR only, since no optical pixel is usable.",
}
"""What is said if all tiles have the same single sensor."""


@dataclass
class RegionCounts:
    """Numbers of explained tiles with a property, the sum of their optical shares, and the least confident tile."""

    tiles: int = 0
    cloudy: int = 0
    unknown_clouds: int = 0
    one_sensor: Counter[SensorUse] = field(default_factory=Counter)
    not_aligned: int = 0
    unsure: int = 0
    optical_share_pct: float = 0.0
    least: tuple[float, TileId] | None = None

    def add(self, tile: ExplainedTile) -> None:
        """Count a tile."""
        facts = tile.facts
        self.tiles += 1
        self.cloudy += facts.clouds == "heavy"
        self.unknown_clouds += facts.has_unknown_clouds
        self.one_sensor[facts.sensor] += facts.sensor in ONE_SENSOR
        self.not_aligned += facts.registration in ("weak", "rejected")
        self.unsure += facts.confidence == "low"
        self.optical_share_pct += facts.optical_share_pct
        if self.least is None or facts.confidence_pct < self.least[0]:
            self.least = facts.confidence_pct, tile.id


@dataclass(frozen=True)
class Region:
    """A region: its metrics and the sums over its explained tiles."""

    metrics: RegionMetrics
    sums: RegionCounts


def region_outline(metrics: RegionMetrics, tiles: Iterable[ExplainedTile]) -> Outline | None:
    """Return what can be said about a region, in at most ten sentences; None if nothing is mapped. Memory: one tile."""
    sums = RegionCounts()
    for tile in tiles:
        sums.add(tile)
    region = Region(metrics, sums)
    if not sums.tiles or not any(area.map_px for area in metrics.areas):
        return None
    topics = tuple(topic for found in TOPICS for topic in found(region))
    return Outline(topics, limit=MAX_SENTENCES, usual=MAX_SENTENCES)


def _lead(region: Region) -> Topics:
    areas = sorted((area for area in region.metrics.areas if area.map_px), key=lambda area: -area.map_px)
    shares = " and ".join(f"{named(area.name)} ({percent(100 * (area.share or 0))})" for area in areas[:2])
    wordings: tuple[str, ...] = (
        f"The largest classes by area are {shares}.",
        f"By area, the largest classes of the map are {shares}.",
    )
    if len(areas) == 1:
        wordings = (f"The whole mapped area is {named(areas[0].name)}.",)
    yield Topic("cover", "lead", wordings, ("areas",))
    if len(areas) > 2:
        others = listed([area.name for area in areas[2:]])
        wordings = f"The map also shows {others}.", f"The other classes of the map are {others}."
        yield Topic("other classes", "what", wordings, ("areas",), salience=0.9)


def _untrained(region: Region) -> Topics:
    if names := [one.name for one in region.metrics.learnt if one.training_px == 0]:
        classes = listed(names)
        wordings = (
            f"Without training pixels of {classes}, the map cannot show such areas.",
            f"The network was never trained on {classes}, so the map cannot show such areas.",
        )
        yield Topic("untrained", "caveat", wordings, ("learnt",), salience=1, warns=True)


def _accuracy(region: Region) -> Topics:
    metrics = region.metrics
    if metrics.oa is None or metrics.too_few:
        wordings = (
            "The accuracy of the map was not measured, since there are too few labels.",
            "There are too few labels to measure the accuracy of the map.",
        )
        yield Topic("no accuracy", "how sure", wordings, ("oa",), must_say=True, salience=0.8)
        return
    right, tiles = percent(100 * metrics.oa), f"{metrics.tiles} {'tile' if metrics.tiles == 1 else 'tiles'}"
    trained = ", on which the model was trained" if metrics.split == "train" else ""
    wordings = (
        f"In {tiles} with labels{trained}, {right} of the labelled pixels agree with the labels.",
        f"The map agrees with {right} of the labelled pixels: it was compared with the labels of {tiles}{trained}.",
    )
    low = 100 * metrics.oa < POOR_ACCURACY_PCT
    yield Topic("accuracy", "how sure", wordings, ("oa", "tiles"), must_say=True, salience=0.8, warns=low)


def _weak_classes(region: Region) -> Topics:
    measured = [row for row in region.metrics.per_class if row.iou is not None and not row.too_few]
    weak = sorted((row for row in measured if (row.iou or 0.0) < GOOD_IOU), key=lambda row: row.iou or 0.0)
    if not weak:
        return
    worst, rest = weak[0], other_weak_classes([row.name for row in weak[1:]])
    producers = 100 * (worst.producers_accuracy or 0.0)
    users = None if worst.users_accuracy is None else 100 * worst.users_accuracy
    figures = accuracy_phrase(worst.name, producers, users)
    wordings = (
        f"The map is weakest for {named(worst.name)}: it {figures}{rest}.",
        f"The weakest class is {named(worst.name)}: the map {figures}{rest}.",
    )
    yield Topic("weak classes", "how sure", wordings, ("per_class",), must_say=True, salience=0.75)
    if errors := _why(region.metrics, worst):
        yield Topic("why weak", "why", errors, ("confusion",), salience=0.7)
    what = what_to_check(worst.name, producers, users)
    checks = f"First, {what}.", f"Before you use the map, {what}."
    yield Topic("check class", "check", checks, ("per_class",), must_say=True, salience=0.7)


def _why(metrics: RegionMetrics, worst: ClassRow) -> tuple[str, ...]:
    """Return wordings of the largest error of the worst class; empty without an error of at least 1 %."""
    error = largest_error(metrics, metrics.per_class.index(worst))
    if error is None or 100 * error.share < 1:
        return ()
    label, mapped = metrics.per_class[error.label].name, metrics.per_class[error.mapped].name
    wordings = falsely_mapped if error.is_false else confused
    return wordings(label, mapped, 100 * error.share)


def _clouds(region: Region) -> Topics:
    heavy, unknown = region.sums.cloudy, region.sums.unknown_clouds
    if heavy:
        wordings = (
            f"Clouds hide at least a fifth of {_of(heavy, region)}.",
            f"In {_of(heavy, region)}, at least a fifth of the optical image is under clouds or their shadows.",
        )
        yield Topic("clouds", "why", wordings, ("tiles",), salience=0.65)
    if unknown:
        text = f"All or part of {_of(unknown, region)} has no cloud mask; clouds there are unknown."
        yield Topic("unknown clouds", "caveat", (text,), ("tiles",), must_say=True, salience=0.6)


def _sensors(region: Region) -> Topics:
    shifted = region.sums.not_aligned
    for sensor, text in ONE_SENSOR.items():
        if region.sums.one_sensor[sensor] == region.sums.tiles:
            yield Topic("one sensor", "why", (text,), ("tiles",), must_say=True, salience=0.65)
            return
    if alone := region.sums.one_sensor.total():
        yield Topic("one sensor", "why", (f"Only one sensor is usable in {_of(alone, region)}.",), ("tiles",))
    if shifted:
        text = f"SAR and optical image are not aligned reliably in {_of(shifted, region)}."
        yield Topic("registration", "caveat", (text,), ("tiles",), must_say=True, salience=0.55)
    mean = region.sums.optical_share_pct / region.sums.tiles
    wordings = (
        f"On average over tiles, the optical image has {percent(mean)} of the weight, SAR the rest.",
        f"SAR has {percent(100 - mean)} of the weight on average over tiles, the optical image the rest.",
    )
    yield Topic("sensors", "why", wordings, ("tiles",), salience=0.4)


def _tiles(region: Region) -> Topics:
    low = region.sums.unsure
    if low:
        wordings = (
            f"The network is unsure (mean confidence below {LOW_CONFIDENCE_PCT} %) in {_of(low, region)}.",
            f"In {_of(low, region)}, the mean confidence of the network is below {LOW_CONFIDENCE_PCT} %.",
        )
        yield Topic("low confidence", "how sure", wordings, ("tiles",), salience=0.6)
    if region.sums.tiles > 1 and region.sums.least:
        least = region.sums.least[1]
        place = f"row {least.row}, column {least.col} of scene {named(least.scene)}"
        wordings = (
            f"Check the tile with the lowest confidence first: {place}.",
            f"The tile with the lowest confidence is {place}; check it first.",
        )
        yield Topic("check tile", "check", wordings, ("tiles",), must_say=True, salience=0.6)


def _of(count: int, region: Region) -> str:
    tiles = region.sums.tiles
    if count < tiles:
        return f"{count} of {tiles} tiles"
    return "the only tile" if tiles == 1 else f"each of the {tiles} tiles"


TOPICS: tuple[Callable[[Region], Topics], ...] = (
    _lead,
    _untrained,
    _accuracy,
    _weak_classes,
    _clouds,
    _sensors,
    _tiles,
)
