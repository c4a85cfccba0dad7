"""What the report page shows: everything read, chosen and drawn, nothing left to look up while rendering."""

from collections.abc import Mapping
from dataclasses import dataclass

from clairemap.artefacts.audit import SplitAudit
from clairemap.artefacts.explanations import ExplainedTile
from clairemap.artefacts.metrics import AreaRow, ClassRow, RegionMetrics
from clairemap.artefacts.registration import Registration
from clairemap.classes import ColoredClass, ColoredLegend
from clairemap.settings import SensorsSettings


@dataclass(frozen=True)
class Stretch:
    """Values shown as black and as white for each band of a sensor: percentiles 2 and 98 of the training pixels."""

    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class DisplaySettings:
    """How pictures are coloured."""

    legend: ColoredLegend
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
class MapSection:
    """The pictures of a map, or of a section of it, and a bar of known length beneath the first.

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
    """What is shown of one map: all of it, or the sections with data and where these are (`key`)."""

    name: str
    size_text: str
    sections: tuple[MapSection, ...]
    sections_in_map: int = 1
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

    tile: ExplainedTile
    reason: str
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
    legend: ColoredLegend
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
    def areas(self) -> tuple[tuple[AreaRow, ColoredClass], ...]:
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
    def class_rows(self) -> tuple[tuple[ClassRow, ColoredClass], ...]:
        """The headline's accuracy by class, each with its class of the legend."""
        return tuple(zip(self.metrics.per_class, self.legend.classes, strict=True))
