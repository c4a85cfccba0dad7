"""Accuracy of a region's map: ``metrics.json``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clairemap.artefacts.document import DocumentModel, read_document, write_document
from clairemap.artefacts.radiometry_check import SensorVerdict
from clairemap.settings import Sensor

Figure = Literal["mIoU", "OA"]
SupportLevel = Literal["unseen", "few", "enough"]


class BelowSingleSensor(DocumentModel):
    """A figure (0..1) for which the map from both sensors scores below the better single-sensor map.

    `scene` is None for all compared scenes together. `pixels` is the number of labelled pixels compared.
    """

    scene: str | None
    sensor: str
    figure: Figure
    fused: float
    alone: float
    pixels: int


class ClassSupport(DocumentModel):
    """A class, its labelled training pixels, and a rating of that number."""

    name: str
    code: int
    training_px: int
    learning: SupportLevel


class Interval(DocumentModel):
    """A 95 % interval (0..1)."""

    low: float
    high: float


class Intervals(DocumentModel):
    """95 % intervals of a scope's figures by a block bootstrap (`metrics.bootstrap`), None with too few blocks.

    `iou` has the classes by name. `reason` says which intervals are missing and why.
    """

    miou: Interval | None
    oa: Interval | None
    f1: Interval | None
    iou: dict[str, Interval | None]
    blocks: int
    block_px: int
    draws: int
    reason: str | None


class ClassRow(DocumentModel):
    """Figures of one class (0..1, None if undefined). `too_few`: `truth_px` is below MIN_TRUTH_PX."""

    name: str
    code: int
    iou: float | None
    f1: float | None
    boundary_f1: float | None
    users_accuracy: float | None
    producers_accuracy: float | None
    truth_px: int
    map_px: int
    too_few: bool


class Scope(DocumentModel):
    """Figures of a set of tiles. Rows of `confusion` are labels, columns are the map.

    `f1` and `boundary_f1` are means over classes, `entropy` the mean over pixels in bits. `intervals` are those of the
    scope of the map. `too_few`: fewer than MIN_TRUTH_PX pixels. `reason` says why there are no figures.
    """

    miou: float | None
    oa: float | None
    f1: float | None
    ece: float | None
    boundary_f1: float | None
    entropy: float | None
    intervals: Intervals | None = None
    classes_averaged: tuple[str, ...]
    per_class: tuple[ClassRow, ...]
    confusion: tuple[tuple[int, ...], ...]
    pixels: int
    unmapped_px: int
    tiles: int
    too_few: bool
    reason: str | None


class SceneScope(Scope):
    """Figures of one scene, and the splits of its scored tiles.

    `views` are the figures of the maps from both sensors and from each alone, on pixels that both see; empty if not
    compared.
    """

    tile_splits: tuple[str, ...]
    views: dict[str, Scope]


class MapScope(Scope):
    """Figures of the finished maps on test ground, and labelled pixels of test scenes by how they were treated.

    Attributes:
        training_px: left out, because the training or its validation used labels there.
        shared_px: of the others, those with labels of several test scenes, which count once.
        disagreeing_px: of the shared ones, those left out because the labels differ.
    """

    training_px: int
    shared_px: int
    disagreeing_px: int


class AreaRow(DocumentModel):
    """Area of a class in the map, scored or not; `share` (0..1) of the mapped pixels."""

    name: str
    code: int
    map_px: int
    map_ha: float | None
    share: float | None


class RegionMetrics(Scope):
    """The whole document. The top-level figures are those of the scope `headline`, on tiles of the split `split`.

    `headline` is "map" if there are enough labels on test ground, else "scenes": each scene alone, before scenes are
    merged; None without labels. `cautions` are warnings to read before using the map. `labels_product` is the
    land-cover product that the labels come from; None: they are ground truth.
    """

    region: str
    headline: Literal["map", "scenes"] | None
    split: str | None
    ignored: tuple[int, ...]
    labels_product: str | None = None
    definition: str
    reading: str
    map: MapScope
    splits: dict[str, Scope]
    scenes: dict[str, SceneScope]
    views: dict[str, Scope]
    below_single_sensor: tuple[BelowSingleSensor, ...]
    learnt: tuple[ClassSupport, ...]
    radiometry: dict[str, dict[Sensor, SensorVerdict]]
    cautions: tuple[str, ...]
    smallest_truth_px: int
    areas: tuple[AreaRow, ...]
    area_method: str
    stamp: dict[str, str]


@dataclass(frozen=True)
class ClassError:
    """Pixels with the label `label` that are mapped as `mapped`; both are indices of classes.

    `share` is their share of the class's labelled pixels or, if `is_false`, of the pixels mapped as the class.
    """

    label: int
    mapped: int
    share: float
    is_false: bool


def largest_error(metrics: RegionMetrics, index: int) -> ClassError | None:
    """Return where most of a class's wrong pixels are: mapped as another class, or of another class mapped as it.

    None without a wrong pixel or with too few labelled pixels.
    """
    row, confusion = metrics.per_class[index], metrics.confusion
    if row.too_few or not row.truth_px or not confusion:
        return None
    others = [other for other in range(len(confusion)) if other != index]
    missed = max(others, key=lambda other: confusion[index][other], default=index)
    false = max(others, key=lambda other: confusion[other][index], default=index)
    if not others or not max(confusion[index][missed], confusion[false][index]):
        return None
    if confusion[index][missed] >= confusion[false][index]:
        return ClassError(index, missed, confusion[index][missed] / row.truth_px, is_false=False)
    return ClassError(false, index, confusion[false][index] / max(row.map_px, 1), is_false=True)


def write_metrics(path: Path, metrics: RegionMetrics) -> None:
    """Write the metrics as JSON, atomically."""
    write_document(path, metrics)


def read_metrics(path: Path) -> RegionMetrics:
    """Return the metrics of a region.

    Raises:
        StoreError: the file is missing or damaged.
    """
    return read_document(path, RegionMetrics, "metrics file", "score_region")
