"""Content of the report page, ready to be rendered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from clairemap.artefacts.audit import SplitAudit
from clairemap.artefacts.explanations import ExplainedTile, Source
from clairemap.artefacts.label_counts import LabelCounts
from clairemap.artefacts.metrics import AreaRow, ClassRow, RegionMetrics
from clairemap.artefacts.registration import Registration
from clairemap.classes import ColoredClass, ColoredLegend
from clairemap.outputs import FUSED
from clairemap.report.class_errors import ClassErrors
from clairemap.report.estimated_areas import EstimatesSection
from clairemap.report.origins import OriginRow
from clairemap.report.rule_costs import RuleCost
from clairemap.report.scene_inputs import SceneInput
from clairemap.report.sensor_words import SENSOR_WORDS
from clairemap.settings import SensorsSettings


@dataclass(frozen=True)
class Stretch:
    """Values shown as black and white per band of a sensor: percentiles 2 and 98 of the training pixels."""

    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class DisplaySettings:
    """Colours of the classes and contrast stretch of both sensors."""

    legend: ColoredLegend
    sensors: SensorsSettings
    optical: Stretch
    sar: Stretch


@dataclass(frozen=True)
class Picture:
    """An image as a ``data:`` URL, and its size in pixels."""

    source: str
    width_px: int
    height_px: int


@dataclass(frozen=True)
class MapSection:
    """The pictures of a map or of a section of it.

    `bar_text` and `bar_percent` are the scale bar's length and its share of the picture's width. `across_percent` is
    the picture's share of the page width, below 100 for high pictures. `north_deg` is the direction of north,
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

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """All pictures."""
        return self.landcover, self.confidence, self.optical_share, self.source_count


@dataclass(frozen=True)
class MapPanel:
    """One map: all of it, or its sections with data and an overview of these (`key`)."""

    name: str
    size_text: str
    sections: tuple[MapSection, ...]
    sections_in_map: int = 1
    far_apart: bool = False
    key: Picture | None = None


@dataclass(frozen=True)
class RegistrationRow:
    """A scene's registration, its tie points as arrows, and its checkerboards; pictures are None if there are none.

    `is_left_out`: there may be pictures, but the page would be too large with them.
    """

    record: Registration
    vectors: Picture | None
    checkerboard: Picture | None
    is_left_out: bool = False

    @property
    def pictured(self) -> bool:
        """Whether there is a picture to show."""
        return self.vectors is not None or self.checkerboard is not None


@dataclass(frozen=True)
class TilePictures:
    """Pictures of a tile's images, map, labels and errors; direction of north, empty if north is up."""

    optical: Picture | None
    sar: Picture | None
    landcover: Picture
    truth: Picture | None
    errors: Picture | None = None
    north_text: str = ""

    @property
    def all(self) -> tuple[Picture | None, ...]:
        """The pictures in the order of the page."""
        return self.optical, self.sar, self.landcover, self.truth, self.errors


@dataclass(frozen=True)
class SamplePoint:
    """An interpreted pixel of the map, and the indices of its reference class and of the map's; None if unknown."""

    row: int
    column: int
    reference: int | None
    mapped: int | None


@dataclass(frozen=True)
class Interactive:
    """What the page's script shows.

    Attributes:
        data: names, colours, maps with their layers, and records of the tiles, as JSON values.
        pictures: blocks of the maps' layers, by number.
        tiles: pictures of tiles without a card, with the tile's position among the records.
        unread: scenes that could not be drawn on the map.
    """

    data: Mapping[str, Any]
    pictures: tuple[str, ...] = ()
    tiles: tuple[tuple[int, TilePictures], ...] = ()
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class TileCard:
    """A tile to show, the reason why it was selected, and its position among all tiles, weakest first."""

    tile: ExplainedTile
    reason: str
    pictures: TilePictures
    position: int | None = None


@dataclass(frozen=True)
class TrainingSummary:
    """Training curve, duration, and the step whose weights are used."""

    curve: Picture
    steps: int
    minutes: float
    best_step: int


@dataclass(frozen=True)
class SplitSummary:
    """How the data were split, and warnings about the figures.

    `halo_px` is the network's halo; `headline_cautions` are the warnings about the figures at the top of the page.
    `uncertain`: it is not known whether they apply.
    """

    method: str
    audit: SplitAudit
    halo_px: int | None
    cautions: tuple[str, ...]
    headline_cautions: tuple[str, ...]
    uncertain: bool = False


@dataclass(frozen=True)
class Fact:
    """A line of the section “How it was made”."""

    name: str
    value: str


@dataclass(frozen=True)
class ReportContent:
    """The whole page.

    `checked_by` are the versions that checked the maps, empty without a recorded check. `unmasked` are the scenes with
    optical pixels that no cloud mask covers. `polygons` are the counts of scenes with polygons as labels.
    `given_model` is the text on a model from another project. `inputs` are files and grids of the scenes, `origins`
    their products and band files.
    `estimates` are those from an interpreted sample; without one, `can_be_sampled` says whether one can be drawn.
    `changed_settings` are the settings that differ from the defaults, None if unknown; `costs` are those of the rules.
    `reliability` is the plot of accuracy by confidence, `radiometry` that of the bands' differences from training.
    `weakness` is a sentence on the map's biggest error, `errors` has those of the classes. `interactive` is what the
    page's script shows.
    `summary` are the sentences about the region, `summary_source` is who chose them, empty without a summary.
    `tile_sources` are those who chose the sentences of all explained tiles, shown or not.
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
    provenance: tuple[Fact, ...]
    calibration: str
    split: SplitSummary
    stamp: Mapping[str, str]
    unmasked: tuple[str, ...] = ()
    polygons: tuple[LabelCounts, ...] = ()
    given_model: str = ""
    inputs: tuple[SceneInput, ...] = ()
    origins: tuple[OriginRow, ...] = ()
    estimates: EstimatesSection | None = None
    can_be_sampled: bool = False
    weakness: str = ""
    errors: ClassErrors = field(default_factory=ClassErrors)
    changed_settings: Mapping[str, str] | None = None
    costs: tuple[RuleCost, ...] = ()
    reliability: Picture | None = None
    radiometry: Picture | None = None
    interactive: Interactive = field(default_factory=lambda: Interactive({}))
    summary: tuple[str, ...] = ()
    summary_source: Source | Literal[""] = ""
    tile_sources: frozenset[Source] = frozenset()

    @property
    def text_sources(self) -> frozenset[Source]:
        """Who chose the sentences of the tiles and of the summary."""
        return self.tile_sources | ({self.summary_source} if self.summary_source else frozenset())

    @property
    def kinds_of_scenes(self) -> str:
        """The sensors of the region's scenes in words; both if the inputs are not recorded."""
        optical, sar = (any(row.optical for row in self.inputs), any(row.sar for row in self.inputs))
        return SENSOR_WORDS[FUSED if optical == sar else "optical" if optical else "sar"]

    @property
    def areas(self) -> tuple[tuple[AreaRow, ColoredClass], ...]:
        """The area of each class, with the class of the legend."""
        return tuple(zip(self.metrics.areas, self.legend.classes, strict=True))

    @property
    def too_few(self) -> tuple[str, ...]:
        """Classes that mIoU averages although they have too few labelled pixels."""
        averaged = self.metrics.classes_averaged
        return tuple(row.name for row in self.metrics.per_class if row.too_few and row.name in averaged)

    @property
    def miou_without_too_few(self) -> float | None:
        """The mIoU without these classes; None if no class remains."""
        averaged = set(self.metrics.classes_averaged) - set(self.too_few)
        ious = [row.iou for row in self.metrics.per_class if row.name in averaged and row.iou is not None]
        return sum(ious) / len(ious) if ious else None

    @property
    def compared(self) -> int:
        """Number of scenes in which the sensors were compared."""
        return sum(bool(scene.views) for scene in self.metrics.scenes.values())

    @property
    def class_rows(self) -> tuple[tuple[ClassRow, ColoredClass], ...]:
        """The accuracy of each class, with the class of the legend."""
        return tuple(zip(self.metrics.per_class, self.legend.classes, strict=True))
