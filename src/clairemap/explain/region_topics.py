"""What can be said about a region's map: topics with sentences that are true of its metrics and tiles.

As in `tile_topics`: to add a topic, write a function and add it to `TOPICS`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from clairemap.artefacts.explanations import ExplainedTile
from clairemap.artefacts.metrics import ClassRow, RegionMetrics
from clairemap.artefacts.tiles import TileId
from clairemap.explain.outline import Topic, template_sentences
from clairemap.explain.wording import iou, listed, named, percent
from clairemap.levels import GOOD_IOU, POOR_ACCURACY_PCT

MAX_SENTENCES = 10
Topics = Iterator[Topic]


@dataclass
class TileSums:
    """Numbers of explained tiles with a property, the sum of their optical shares, and the least confident tile."""

    tiles: int = 0
    cloudy: int = 0
    unknown_clouds: int = 0
    one_sensor: int = 0
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
        self.one_sensor += facts.sensor.endswith("only")
        self.not_aligned += facts.registration in ("weak", "rejected")
        self.unsure += facts.confidence == "low"
        self.optical_share_pct += facts.optical_share_pct
        if self.least is None or facts.confidence_pct < self.least[0]:
            self.least = facts.confidence_pct, tile.id


@dataclass(frozen=True)
class Region:
    """A region: its metrics and the sums over its explained tiles."""

    metrics: RegionMetrics
    sums: TileSums


def region_summary(metrics: RegionMetrics, tiles: Iterable[ExplainedTile]) -> tuple[str, ...]:
    """Return the summary of a region: at most ten sentences; none if nothing is mapped. Memory: one tile."""
    sums = TileSums()
    for tile in tiles:
        sums.add(tile)
    region = Region(metrics, sums)
    if not sums.tiles or not any(area.map_px for area in metrics.areas):
        return ()
    topics = tuple(topic for found in TOPICS for topic in found(region))
    return tuple(sentence.text for sentence in template_sentences(topics, MAX_SENTENCES))


def _lead(region: Region) -> Topics:
    areas = sorted((area for area in region.metrics.areas if area.map_px), key=lambda area: -area.map_px)
    shares = [f"{named(area.name)} ({percent(100 * (area.share or 0))})" for area in areas[:2]]
    largest = "class is" if len(areas) == 1 else "classes are"
    yield Topic("cover", "lead", (f"The largest {largest} {' and '.join(shares)} of the mapped area.",), ("areas",))
    if len(areas) > 2:
        others = listed([area.name for area in areas[2:]])
        yield Topic("other classes", "what", (f"The map also shows {others}.",), ("areas",), salience=0.9)


def _untrained(region: Region) -> Topics:
    if names := [one.name for one in region.metrics.learnt if one.training_px == 0]:
        text = f"Without training pixels of {listed(names)}, the map cannot show such areas."
        yield Topic("untrained", "caveat", (text,), ("learnt",), salience=1, warns=True)


def _accuracy(region: Region) -> Topics:
    metrics = region.metrics
    if metrics.oa is None or metrics.too_few:
        text = "The accuracy of the map was not measured, since there are too few labels."
        yield Topic("no accuracy", "how sure", (text,), ("oa",), must_say=True, salience=0.8)
        return
    trained = ", on which the model was trained" if metrics.split == "train" else ""
    text = f"Against the labels of {metrics.tiles} tiles{trained}, {percent(100 * metrics.oa)} of the pixels are right."
    low = 100 * metrics.oa < POOR_ACCURACY_PCT
    yield Topic("accuracy", "how sure", (text,), ("oa", "tiles"), must_say=True, salience=0.8, warns=low)


def _weak_classes(region: Region) -> Topics:
    measured = [row for row in region.metrics.per_class if row.iou is not None and not row.too_few]
    weak = sorted((row for row in measured if (row.iou or 0.0) < GOOD_IOU), key=lambda row: row.iou or 0.0)
    if not weak:
        return
    worst = weak[0]
    others = (
        f"; {listed([row.name for row in weak[1:]])} {'is' if len(weak) == 2 else 'are'} weak too" if weak[1:] else ""
    )
    text = f"The map is weakest for {named(worst.name)}, with an IoU of {iou(worst.iou or 0.0)}{others}."
    yield Topic("weak classes", "how sure", (text,), ("per_class",), must_say=True, salience=0.75)
    if text := _why(region, worst):
        yield Topic("why weak", "why", (text,), ("confusion",), salience=0.7)
    check = f"First, check where the map shows {named(worst.name)}, or should."
    yield Topic("check class", "check", (check,), ("per_class",), must_say=True, salience=0.7)


def _why(region: Region, worst: ClassRow) -> str:
    """Return how the worst class goes wrong: what its labelled pixels are mapped as; empty without a main error."""
    names = [row.name for row in region.metrics.per_class]
    row = region.metrics.confusion[names.index(worst.name)]
    wrong = {name: pixels for name, pixels in zip(names, row, strict=True) if name != worst.name}
    if not wrong or not sum(row):
        return ""
    most = max(wrong, key=lambda name: wrong[name])
    share = 100 * wrong[most] / sum(row)
    return (
        f"Of the pixels labelled {named(worst.name)}, {percent(share)} are mapped as {named(most)}."
        if share >= 1
        else ""
    )


def _clouds(region: Region) -> Topics:
    heavy, unknown = region.sums.cloudy, region.sums.unknown_clouds
    if heavy:
        text = f"Clouds hide at least a fifth of {_of(heavy, region)}."
        yield Topic("clouds", "why", (text,), ("tiles",), salience=0.65)
    if unknown:
        text = f"Whether clouds matter is unknown in at least part of {_of(unknown, region)}, without a cloud mask."
        yield Topic("unknown clouds", "caveat", (text,), ("tiles",), must_say=True, salience=0.6)


def _sensors(region: Region) -> Topics:
    alone, shifted = region.sums.one_sensor, region.sums.not_aligned
    if alone:
        yield Topic("one sensor", "why", (f"Only one sensor is usable in {_of(alone, region)}.",), ("tiles",))
    if shifted:
        text = f"SAR and optical image are not aligned reliably in {_of(shifted, region)}."
        yield Topic("registration", "caveat", (text,), ("tiles",), must_say=True, salience=0.55)
    mean = percent(region.sums.optical_share_pct / region.sums.tiles)
    text = f"On average over tiles, the optical image has {mean} of the weight, SAR the rest."
    yield Topic("sensors", "why", (text,), ("tiles",), salience=0.4)


def _tiles(region: Region) -> Topics:
    low = region.sums.unsure
    if low:
        text = f"The network is unsure (mean confidence below 60 %) in {_of(low, region)}."
        yield Topic("low confidence", "how sure", (text,), ("tiles",), salience=0.6)
    if region.sums.tiles > 1 and region.sums.least:
        least = region.sums.least[1]
        place = f"row {least.row}, column {least.col} of scene {named(least.scene)}"
        text = f"Look first at the tile with the lowest confidence, {place}."
        yield Topic("check tile", "check", (text,), ("tiles",), must_say=True, salience=0.6)


def _of(count: int, region: Region) -> str:
    return f"{count} of {region.sums.tiles} tiles"


TOPICS: tuple[Callable[[Region], Topics], ...] = (
    _lead,
    _untrained,
    _accuracy,
    _weak_classes,
    _clouds,
    _sensors,
    _tiles,
)
