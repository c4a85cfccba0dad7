"""What is known about a tile, rounded as it will be told: the only thing that an explanation may rest on."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Grade = Literal["high", "medium", "low"]
Agreement = Literal["good", "fair", "poor"]
Cover = Literal["uniform", "dominant", "mixed"]
SensorUse = Literal["optical only", "mostly optical", "both", "mostly SAR", "SAR only"]
Clouds = Literal["none", "some", "heavy"]
Registration = Literal["good", "weak", "rejected", "single_sensor", "as_delivered"]

HIGH_CONFIDENCE_PCT = 80
LOW_CONFIDENCE_PCT = 60
GOOD_ACCURACY_PCT = 85
POOR_ACCURACY_PCT = 70
GOOD_IOU = 0.75
POOR_IOU = 0.5
DOMINANT_PCT = 50.0
MOSTLY_PCT = 65
SOME_CLOUDS_PCT = 1
HEAVY_CLOUDS_PCT = 20


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClassFacts(_Part):
    """One class of the tile: share of the mapped area, mean confidence, and agreement with the labels if there are."""

    name: str
    area_pct: float
    confidence_pct: int
    iou: float | None = None
    f1: float | None = None

    @property
    def confidence(self) -> Grade:
        """The class's mean confidence as a level."""
        return confidence_level(self.confidence_pct)

    @property
    def accuracy(self) -> Agreement | None:
        """The class's IoU as a level."""
        if self.iou is None:
            return None
        return "good" if self.iou >= GOOD_IOU else "fair" if self.iou >= POOR_IOU else "poor"


class Confused(_Part):
    """A share of the labelled pixels of one class that the map shows as another."""

    truth: str
    mapped: str
    pct: int


class TileFacts(_Part):
    """The facts of a tile. Shares are percent of the tile's pixels unless said otherwise.

    `classes` are those with at least 0.1 % of the mapped pixels, largest first, never empty. `optical_share_pct` is
    the mean weight of the optical image over the mapped pixels; `oa_pct` the share of the labelled pixels that are
    right; `confusions` the largest errors.
    """

    classes: tuple[ClassFacts, ...]
    confidence_pct: int
    sensor: SensorUse
    optical_share_pct: int
    cloud_pct: int
    mapped_pct: int
    registration: Registration
    oa_pct: int | None = None
    confusions: tuple[Confused, ...] = ()

    @property
    def largest(self) -> ClassFacts:
        """The class with the largest share of the mapped area."""
        return self.classes[0]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all classes that occur in the tile's map or among its confusions."""
        confused = [name for pair in self.confusions for name in (pair.truth, pair.mapped)]
        return tuple(dict.fromkeys([*(c.name for c in self.classes), *confused]))

    @property
    def cover(self) -> Cover:
        """How the area is shared out."""
        if len(self.classes) == 1:
            return "uniform"
        return "dominant" if self.largest.area_pct >= DOMINANT_PCT else "mixed"

    @property
    def confidence(self) -> Grade:
        """The mean confidence as a level."""
        return confidence_level(self.confidence_pct)

    @property
    def clouds(self) -> Clouds:
        """The share of clouds as a level."""
        if self.cloud_pct < SOME_CLOUDS_PCT:
            return "none"
        return "some" if self.cloud_pct < HEAVY_CLOUDS_PCT else "heavy"

    @property
    def accuracy(self) -> Agreement | None:
        """The agreement with the labels as a level; None without labels."""
        if self.oa_pct is None:
            return None
        return "good" if self.oa_pct >= GOOD_ACCURACY_PCT else "fair" if self.oa_pct >= POOR_ACCURACY_PCT else "poor"

    def levels(self) -> dict[str, str | None]:
        """Return all levels by name, as the prompt tells them and the explanations file records them."""
        return {
            "cover": self.cover,
            "confidence": self.confidence,
            "sensor": self.sensor,
            "clouds": self.clouds,
            "registration": self.registration,
            "accuracy": self.accuracy,
        }

    def record(self) -> dict[str, object]:
        """Return facts and levels for JSON."""
        return {**self.model_dump(mode="json"), "levels": self.levels()}


def confidence_level(percent: int) -> Grade:
    """Return the level of a mean confidence in percent."""
    if percent >= HIGH_CONFIDENCE_PCT:
        return "high"
    return "medium" if percent >= LOW_CONFIDENCE_PCT else "low"


def sensor_use(optical_share_pct: float, optical_px: int, sar_px: int) -> SensorUse:
    """Return which sensor the map rests on, from the mean optical weight and each sensor's usable pixels."""
    if sar_px == 0:
        return "optical only"
    if optical_px == 0:
        return "SAR only"
    if optical_share_pct >= MOSTLY_PCT:
        return "mostly optical"
    return "mostly SAR" if optical_share_pct <= 100 - MOSTLY_PCT else "both"
