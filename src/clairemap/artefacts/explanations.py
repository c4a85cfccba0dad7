"""Explained tiles of a scene: ``explanations.jsonl`` with rounded facts and a text for each tile."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError, model_validator

from clairemap.artefacts.document import DocumentModel, first_fault
from clairemap.artefacts.registration import Verdict
from clairemap.artefacts.tile_reasons import TileReasons
from clairemap.artefacts.tiles import TileId
from clairemap.errors import StoreError
from clairemap.levels import (
    GOOD_ACCURACY_PCT,
    GOOD_IOU,
    HIGH_CONFIDENCE_PCT,
    LOW_CONFIDENCE_PCT,
    POOR_ACCURACY_PCT,
    POOR_IOU,
    RELEVANT_CLASS_PCT,
)
from clairemap.provenance import write_text_whole

Grade = Literal["high", "medium", "low"]
Agreement = Literal["good", "fair", "poor"]
Composition = Literal["uniform", "dominant", "mixed"]
SensorUse = Literal["optical only", "mostly optical", "both", "mostly SAR", "SAR only"]
Clouds = Literal["none", "some", "heavy", "unknown"]
Source = Literal["model", "template"]

DOMINANT_PCT = 50.0
SOME_CLOUDS_PCT = 1
HEAVY_CLOUDS_PCT = 20
MIN_SHARE_PCT = 0.1
"""Minimum share of the mapped area for a class to be listed."""

_WORST_FIRST: tuple[Agreement, ...] = ("poor", "fair", "good")


class ClassFacts(DocumentModel):
    """One class of a tile: share of the mapped area, pixels mapped as it, mean confidence, and accuracy.

    `confidence_pct` is None if no pixel is mapped as the class. `iou`, `f1`, user's and producer's accuracy are None if
    it has too few labelled pixels, the user's accuracy also if no labelled pixel is mapped as it. `label_pct` is its
    share of the labelled pixels.
    """

    name: str
    area_pct: float
    mapped_px: int
    confidence_pct: int | None
    iou: float | None = None
    f1: float | None = None
    users_pct: int | None = None
    producers_pct: int | None = None
    label_pct: float = 0.0

    @property
    def confidence(self) -> Grade | None:
        """Level of the mean confidence."""
        return None if self.confidence_pct is None else confidence_level(self.confidence_pct)

    @property
    def relevant(self) -> bool:
        """Whether the IoU counts towards the accuracy level of the tile."""
        return self.iou is not None and self.label_pct >= RELEVANT_CLASS_PCT

    @property
    def accuracy(self) -> Agreement | None:
        """Level of the IoU."""
        if self.iou is None:
            return None
        return "good" if self.iou >= GOOD_IOU else "fair" if self.iou >= POOR_IOU else "poor"


class Confused(DocumentModel):
    """Share of the labelled pixels of class `truth` that are mapped as class `mapped`."""

    truth: str
    mapped: str
    pct: int


class TileFacts(DocumentModel):
    """Facts of a tile. Shares are percent of the tile's pixels unless stated otherwise.

    Attributes:
        classes: classes with at least 0.1 % of the mapped pixels or enough labelled pixels for an IoU, largest first;
            never empty. Classes that are not mapped come last, with area 0.
        optical_share_pct: mean weight of the optical image over the mapped pixels.
        cloud_pct: share under cloud; None without a cloud mask.
        cloud_unknown_pct: share with optical values that no cloud mask covers.
        mapped_px: number of mapped pixels.
        oa_pct: overall accuracy over `labelled_px`; None below 100 pixels.
        labelled_px: pixels that are labelled and mapped.
        confusions: largest errors.
        reasons: facts that say why, how sure, and what to check.
        unseen: classes of the labels or the map that had no training pixels.
    """

    classes: tuple[ClassFacts, ...]
    confidence_pct: int
    sensor: SensorUse
    optical_share_pct: int
    cloud_pct: int | None
    cloud_unknown_pct: int = 0
    mapped_pct: int
    mapped_px: int
    registration: Verdict
    oa_pct: int | None = None
    labelled_px: int = 0
    confusions: tuple[Confused, ...] = ()
    unseen: tuple[str, ...] = ()
    reasons: TileReasons = TileReasons()

    @model_validator(mode="before")
    @classmethod
    def _without_levels(cls, values: Any) -> Any:  # noqa: ANN401 - not validated yet
        """Drop the levels that `record` adds; they follow from the facts."""
        return {key: value for key, value in values.items() if key != "levels"} if isinstance(values, dict) else values

    @property
    def largest(self) -> ClassFacts:
        """Class with the largest share of the mapped area."""
        return self.classes[0]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all classes in `classes`, `confusions` and `unseen`."""
        confused = [name for pair in self.confusions for name in (pair.truth, pair.mapped)]
        return tuple(dict.fromkeys([*(c.name for c in self.classes), *confused, *self.unseen]))

    @property
    def shown(self) -> tuple[ClassFacts, ...]:
        """Mapped classes, largest first; never empty."""
        return (self.largest, *(c for c in self.classes[1:] if c.area_pct >= MIN_SHARE_PCT))

    @property
    def missed(self) -> tuple[ClassFacts, ...]:
        """Labelled classes that are not mapped."""
        return tuple(c for c in self.classes if c.confidence_pct is None)

    @property
    def has_unknown_clouds(self) -> bool:
        """Whether cloud masks leave out at least 1 % of the optical pixels."""
        return self.cloud_unknown_pct >= SOME_CLOUDS_PCT

    @property
    def cover(self) -> Composition:
        """How the mapped area is divided among classes."""
        if len(self.shown) == 1:
            return "uniform"
        return "dominant" if self.largest.area_pct >= DOMINANT_PCT else "mixed"

    @property
    def confidence(self) -> Grade:
        """Level of the mean confidence of all classes."""
        return confidence_level(self.confidence_pct)

    @property
    def clouds(self) -> Clouds:
        """Level of the cloud share."""
        if self.cloud_pct is None:
            return "unknown"
        if self.cloud_pct < SOME_CLOUDS_PCT:
            return "none"
        return "some" if self.cloud_pct < HEAVY_CLOUDS_PCT else "heavy"

    @property
    def accuracy(self) -> Agreement | None:
        """Level of agreement with the labels: the lower of the OA's and of the worst relevant class's.

        None without enough labels.
        """
        if self.oa_pct is None:
            return None
        levels = {accuracy_level(self.oa_pct), *(c.accuracy for c in self.classes if c.relevant)}
        return next(level for level in _WORST_FIRST if level in levels)

    @property
    def worst(self) -> ClassFacts | None:
        """Relevant class with the lowest IoU, if it determines the tile's accuracy level and that is not good."""
        worst = min((c for c in self.classes if c.relevant), key=lambda c: c.iou or 0.0, default=None)
        return worst if worst and worst.accuracy == self.accuracy != "good" else None

    def levels(self) -> dict[str, str | None]:
        """Return all levels by name, as in the prompt and the explanations file."""
        return {
            "cover": self.cover,
            "confidence": self.confidence,
            "sensor": self.sensor,
            "clouds": self.clouds,
            "registration": self.registration,
            "accuracy": self.accuracy,
            **({} if self.worst is None else {"worst class": self.worst.name}),
        }

    def record(self) -> dict[str, object]:
        """Return facts and levels as JSON values."""
        return {**self.model_dump(mode="json"), "levels": self.levels()}


def confidence_level(percent: int) -> Grade:
    """Return the level of a mean confidence (percent)."""
    if percent >= HIGH_CONFIDENCE_PCT:
        return "high"
    return "medium" if percent >= LOW_CONFIDENCE_PCT else "low"


def accuracy_level(oa_pct: int) -> Agreement:
    """Return the level of an overall accuracy (percent)."""
    if oa_pct >= GOOD_ACCURACY_PCT:
        return "good"
    return "fair" if oa_pct >= POOR_ACCURACY_PCT else "poor"


class ExplainedPoint(DocumentModel):
    """A sentence: the name of its topic, and the keys of the facts behind it, for example ``classes.road.iou``."""

    topic: str
    text: str
    about: tuple[str, ...] = ()


class Explanation(DocumentModel):
    """Text of a tile, its sentences, and who chose them. `key` is a hash of the sentences to choose from and model."""

    text: str
    sentences: tuple[ExplainedPoint, ...] = ()
    source: Source
    key: str = ""


class _TileOfScene(DocumentModel):
    """Position of a tile in the tile grid of its scene, and its facts."""

    scene: str
    row: int
    col: int
    facts: TileFacts


class ExplainedTile(Explanation, _TileOfScene):
    """A line of the file: position, facts, explanation."""

    @property
    def id(self) -> TileId:
        """Scene, row and column of the tile."""
        return TileId(self.scene, self.row, self.col)


def write_explanations(path: Path, tiles: Iterable[ExplainedTile]) -> None:
    """Write one JSON line per tile, in the given order, atomically."""
    write_text_whole(path, "".join(_line(tile) + "\n" for tile in tiles))


def read_explanations(path: Path) -> list[ExplainedTile]:
    """Return the explained tiles of a scene in file order; empty lines are skipped.

    Raises:
        StoreError: the file is missing, or a line is not a valid explanation; the message names line and key.
    """
    tiles = []
    try:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if line.strip():
                tiles.append(_tile(line, number))
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{path}: not a valid file of explanations ({error}); delete it and run explain_tiles again"
        ) from None
    return tiles


def _line(tile: ExplainedTile) -> str:
    return json.dumps({**tile.model_dump(mode="json"), "facts": tile.facts.record()}, ensure_ascii=False)


def _tile(line: str, number: int) -> ExplainedTile:
    try:
        return ExplainedTile.model_validate_json(line)
    except ValidationError as error:
        raise ValueError(f"line {number}: {first_fault(error)}") from None
