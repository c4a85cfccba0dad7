"""The explained tiles of a scene as a file, ``explanations.jsonl``: facts, rounded, and the text that rests on them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError, model_validator

from clairemap.artefacts.document import Part, first_fault
from clairemap.artefacts.registration import Verdict
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
"""Smallest share of the mapped area of a class that counts as shown by the map."""

_WORST_FIRST: tuple[Agreement, ...] = ("poor", "fair", "good")


class ClassFacts(Part):
    """One class of the tile: share of the mapped area, mean confidence, and agreement with the labels if there are any.

    `confidence_pct` is None where no pixel is mapped as the class, `iou` and `f1` where too few pixels are labelled as
    it. `label_pct` is the share of the labelled pixels.
    """

    name: str
    area_pct: float
    confidence_pct: int | None
    iou: float | None = None
    f1: float | None = None
    label_pct: float = 0.0

    @property
    def confidence(self) -> Grade | None:
        """The class's mean confidence as a level."""
        return None if self.confidence_pct is None else confidence_level(self.confidence_pct)

    @property
    def matters(self) -> bool:
        """Whether the class's IoU counts for the agreement of the whole tile."""
        return self.iou is not None and self.label_pct >= RELEVANT_CLASS_PCT

    @property
    def accuracy(self) -> Agreement | None:
        """The class's IoU as a level."""
        if self.iou is None:
            return None
        return "good" if self.iou >= GOOD_IOU else "fair" if self.iou >= POOR_IOU else "poor"


class Confused(Part):
    """A share of the labelled pixels of one class that the map shows as another."""

    truth: str
    mapped: str
    pct: int


class TileFacts(Part):
    """The facts of a tile. Shares are percent of the tile's pixels unless said otherwise.

    `classes` are those with at least 0.1 % of the mapped pixels or enough labelled ones for an IoU, largest first,
    never empty; classes that the map never shows come last with area 0. `optical_share_pct` is the mean weight of the
    optical image over the mapped pixels; `cloud_pct` the share under cloud, None without a cloud mask, and
    `cloud_unknown_pct` the share of optical pixels that no mask covers. `oa_pct` is the share of the `labelled_px`
    labelled and mapped pixels that are correct, None if they are fewer than 100; `confusions` are the largest errors,
    `unseen` the classes of the labels or the map that no training pixel had.
    """

    classes: tuple[ClassFacts, ...]
    confidence_pct: int
    sensor: SensorUse
    optical_share_pct: int
    cloud_pct: int | None
    cloud_unknown_pct: int = 0
    mapped_pct: int
    registration: Verdict
    oa_pct: int | None = None
    labelled_px: int = 0
    confusions: tuple[Confused, ...] = ()
    unseen: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _without_levels(cls, values: Any) -> Any:  # noqa: ANN401 - not validated yet
        """Drop the levels that `record` adds to the file: they follow from the facts."""
        return {key: value for key, value in values.items() if key != "levels"} if isinstance(values, dict) else values

    @property
    def largest(self) -> ClassFacts:
        """The class with the largest share of the mapped area."""
        return self.classes[0]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all classes that occur in the tile's map, among its confusions or as unseen in training."""
        confused = [name for pair in self.confusions for name in (pair.truth, pair.mapped)]
        return tuple(dict.fromkeys([*(c.name for c in self.classes), *confused, *self.unseen]))

    @property
    def shown(self) -> tuple[ClassFacts, ...]:
        """The classes that the map shows, largest first, never empty."""
        return (self.largest, *(c for c in self.classes[1:] if c.area_pct >= MIN_SHARE_PCT))

    @property
    def missed(self) -> tuple[ClassFacts, ...]:
        """The classes of the labels that the map never shows."""
        return tuple(c for c in self.classes if c.confidence_pct is None)

    @property
    def has_unknown_clouds(self) -> bool:
        """Whether a part of the optical image worth reporting is covered by no cloud mask."""
        return self.cloud_unknown_pct >= SOME_CLOUDS_PCT

    @property
    def has_few_labels(self) -> bool:
        """Whether there are labels, but too few to measure how well the map agrees with them."""
        return self.labelled_px > 0 and self.oa_pct is None

    @property
    def cover(self) -> Composition:
        """How the area is divided among the classes."""
        if len(self.shown) == 1:
            return "uniform"
        return "dominant" if self.largest.area_pct >= DOMINANT_PCT else "mixed"

    @property
    def confidence(self) -> Grade:
        """The mean confidence as a level."""
        return confidence_level(self.confidence_pct)

    @property
    def clouds(self) -> Clouds:
        """The share of clouds as a level."""
        if self.cloud_pct is None:
            return "unknown"
        if self.cloud_pct < SOME_CLOUDS_PCT:
            return "none"
        return "some" if self.cloud_pct < HEAVY_CLOUDS_PCT else "heavy"

    @property
    def accuracy(self) -> Agreement | None:
        """The agreement with the labels as a level: that of OA or of the worst class that matters, whichever is lower.

        None without labels, or with too few.
        """
        if self.oa_pct is None:
            return None
        levels = {accuracy_level(self.oa_pct), *(c.accuracy for c in self.classes if c.matters)}
        return next(level for level in _WORST_FIRST if level in levels)

    @property
    def worst(self) -> ClassFacts | None:
        """The class with the lowest IoU of those that matter, if it is as bad as the tile and that is not good."""
        worst = min((c for c in self.classes if c.matters), key=lambda c: c.iou or 0.0, default=None)
        return worst if worst and worst.accuracy == self.accuracy != "good" else None

    def levels(self) -> dict[str, str | None]:
        """Return all levels by name, as the prompt and the explanations file give them."""
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
        """Return facts and levels for JSON."""
        return {**self.model_dump(mode="json"), "levels": self.levels()}


def confidence_level(percent: int) -> Grade:
    """Return the level of a mean confidence in percent."""
    if percent >= HIGH_CONFIDENCE_PCT:
        return "high"
    return "medium" if percent >= LOW_CONFIDENCE_PCT else "low"


def accuracy_level(oa_pct: int) -> Agreement:
    """Return the level of an overall accuracy in percent."""
    if oa_pct >= GOOD_ACCURACY_PCT:
        return "good"
    return "fair" if oa_pct >= POOR_ACCURACY_PCT else "poor"


class Explanation(Part):
    """The text of a tile with its figures filled in, and its source.

    `faults` are those of the model's last text where the template replaced it. `key` is a hash of facts, prompt and
    model.
    """

    text: str
    source: Source
    faults: tuple[str, ...] = ()
    key: str = ""


class _TileOfScene(Part):
    """A tile's place in the scene's grid of tiles, and its facts."""

    scene: str
    row: int
    col: int
    facts: TileFacts


class ExplainedTile(Explanation, _TileOfScene):
    """A line of the file: place, facts, explanation."""

    @property
    def place(self) -> tuple[str, int, int]:
        """Scene, row and column: what identifies the tile."""
        return self.scene, self.row, self.col


def write_explanations(path: Path, tiles: Iterable[ExplainedTile]) -> None:
    """Write one JSON object in a line for each tile, in the order given, whole or not at all."""
    write_text_whole(path, "".join(_line(tile) + "\n" for tile in tiles))


def read_explanations(path: Path) -> list[ExplainedTile]:
    """Return the explained tiles of a scene in the order of the lines; empty lines are skipped.

    Raises:
        StoreError: the file is missing, or a line is not a valid explanation; the text names line and key.
    """
    tiles = []
    try:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if line.strip():
                tiles.append(_tile(line, number))
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: not valid explanations ({error}); delete it and run explain_tiles again") from None
    return tiles


def _line(tile: ExplainedTile) -> str:
    return json.dumps({**tile.model_dump(mode="json"), "facts": tile.facts.record()}, ensure_ascii=False)


def _tile(line: str, number: int) -> ExplainedTile:
    try:
        return ExplainedTile.model_validate_json(line)
    except ValidationError as error:
        raise ValueError(f"line {number}: {first_fault(error)}") from None
