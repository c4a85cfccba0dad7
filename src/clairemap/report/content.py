"""What the report page shows: everything read, chosen and drawn, nothing left to look up while rendering."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from clairemap.artefacts.audit import SplitAudit
from clairemap.classes import LandCoverClass, Legend
from clairemap.metrics.document import AreaRow, ClassRow, RegionMetrics
from clairemap.registration.record import Registration
from clairemap.settings import SensorsSettings


class _Told(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class ToldClass(_Told):
    """What an explanation rests on for one class of its tile."""

    name: str
    area_pct: float
    iou: float | None = None


class ToldLevels(_Told):
    """The levels of an explanation: agreement with the labels, and the class that it is as bad as."""

    accuracy: str | None = None
    worst_class: str | None = Field(None, alias="worst class")


class ToldFacts(_Told):
    """The facts of an explanation that the page shows or chooses tiles by; shares in percent.

    `cloud_pct` is None where no cloud mask tells, `oa_pct` where too few pixels are labelled.
    """

    classes: tuple[ToldClass, ...]
    confidence_pct: int
    optical_share_pct: int
    cloud_pct: int | None
    cloud_unknown_pct: int = 0
    oa_pct: int | None = None
    labelled_px: int = 0
    unseen: tuple[str, ...] = ()
    levels: ToldLevels = ToldLevels()

    @property
    def worst_iou(self) -> float | None:
        """The IoU of the class that the agreement is as bad as; None if there is none."""
        return next((c.iou for c in self.classes if c.name == self.levels.worst_class), None)


class ToldTile(_Told):
    """One line of ``explanations.jsonl``."""

    scene: str
    row: int
    col: int
    facts: ToldFacts
    text: str
    source: str


@dataclass(frozen=True)
class MapPaths:
    """One map of the region, as files."""

    name: str
    landcover: Path
    confidence: Path
    optical_share: Path
    source_count: Path


@dataclass(frozen=True)
class ScenePaths:
    """One scene's stores."""

    pair: Path
    probabilities: Path


@dataclass(frozen=True)
class Stretch:
    """Values shown as black and as white for each band of a sensor: percentiles 2 and 98 of the training pixels."""

    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Look:
    """How pictures are coloured."""

    legend: Legend
    sensors: SensorsSettings
    optical: Stretch
    sar: Stretch


@dataclass(frozen=True)
class Picture:
    """An image as a ``data:`` address, and its size in image pixels."""

    source: str
    width_px: int
    height_px: int


@dataclass(frozen=True)
class MapPart:
    """The pictures of a map, or of a part of it, and a bar of known length beneath the first.

    `across_percent`: of the page's width for a picture; less than 100 for high ones. `north_deg`: where north is,
    clockwise from up; None if unknown or up.
    """

    landcover: Picture
    confidence: Picture
    optical_share: Picture
    source_count: Picture
    size_text: str
    bar_text: str | None
    bar_percent: float
    across_percent: float = 100.0
    north_deg: float | None = None


@dataclass(frozen=True)
class MapPanel:
    """What is shown of one map: all of it, or the parts that hold data and where these lie (`key`)."""

    name: str
    size_text: str
    parts: tuple[MapPart, ...]
    parts_held: int = 1
    far_apart: bool = False
    key: Picture | None = None


@dataclass(frozen=True)
class RegistrationRow:
    """A scene's registration, its tie points as arrows if it has any, and its sensors over each other if it has two."""

    record: Registration
    vectors: Picture | None
    checkerboard: Picture | None

    @property
    def pictured(self) -> bool:
        """Whether there is a picture to show."""
        return self.vectors is not None or self.checkerboard is not None


@dataclass(frozen=True)
class TilePictures:
    """What the sensors saw of a tile, its map, and its labels if there are any; where north is if it is not up."""

    optical: Picture | None
    sar: Picture | None
    landcover: Picture
    truth: Picture | None
    north_text: str = ""


@dataclass(frozen=True)
class TileCard:
    """A tile that is shown, and why it was chosen."""

    told: ToldTile
    why: str
    pictures: TilePictures


@dataclass(frozen=True)
class TrainingSummary:
    """The course of the training."""

    curve: Picture
    steps: int
    minutes: float
    best_step: int


@dataclass(frozen=True)
class SplitSummary:
    """How the data were split, and what is to be kept in mind with the figures.

    `reach_px` is the network's halo; `headline_cautions` are those that concern the figures at the top of the page.
    """

    method: str
    audit: SplitAudit
    reach_px: int | None
    cautions: tuple[str, ...]
    headline_cautions: tuple[str, ...]


@dataclass(frozen=True)
class Fact:
    """A line of the section on how the map was made."""

    name: str
    value: str


@dataclass(frozen=True)
class ReportContent:
    """The whole page; `checked_by` are the versions that checked the maps, none if no check was recorded.

    `unmasked` are the scenes with optical pixels that no cloud mask covers.
    """

    title: str
    region: str
    legend: Legend
    metrics: RegionMetrics
    maps: tuple[MapPanel, ...]
    checked_by: tuple[str, ...]
    confusion: Picture | None
    training: TrainingSummary | None
    registrations: tuple[RegistrationRow, ...]
    tiles: tuple[TileCard, ...]
    tiles_explained: int
    making: tuple[Fact, ...]
    calibration: str
    split: SplitSummary
    stamp: Mapping[str, str]
    unmasked: tuple[str, ...] = ()

    @property
    def areas(self) -> tuple[tuple[AreaRow, LandCoverClass], ...]:
        """The areas, each with its class of the legend."""
        return tuple(zip(self.metrics.areas, self.legend.classes, strict=True))

    @property
    def scarce(self) -> tuple[str, ...]:
        """Classes that mIoU averages though fewer than the least number of pixels are labelled so."""
        averaged = self.metrics.classes_averaged
        return tuple(row.name for row in self.metrics.per_class if row.too_few and row.name in averaged)

    @property
    def miou_without_scarce(self) -> float | None:
        """The mIoU without those classes; None if no other is averaged."""
        averaged = set(self.metrics.classes_averaged) - set(self.scarce)
        ious = [row.iou for row in self.metrics.per_class if row.name in averaged and row.iou is not None]
        return sum(ious) / len(ious) if ious else None

    @property
    def compared(self) -> int:
        """In how many scenes the sensors were compared."""
        return sum(bool(scene.views) for scene in self.metrics.scenes.values())

    @property
    def class_rows(self) -> tuple[tuple[ClassRow, LandCoverClass], ...]:
        """The headline's accuracy by class, each with its class of the legend."""
        return tuple(zip(self.metrics.per_class, self.legend.classes, strict=True))
