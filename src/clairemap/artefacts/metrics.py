"""Accuracy of a region's map: ``metrics.json``."""

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


class ClassRow(DocumentModel):
    """Figures of one class (0..1, None if undefined). `too_few`: `truth_px` is below MIN_TRUTH_PX."""

    name: str
    code: int
    iou: float | None
    f1: float | None
    users_accuracy: float | None
    producers_accuracy: float | None
    truth_px: int
    map_px: int
    too_few: bool


class Scope(DocumentModel):
    """Figures of a set of tiles. Rows of `confusion` are labels, columns are the map.

    `too_few`: fewer than MIN_TRUTH_PX pixels. `reason` says why there are no figures.
    """

    miou: float | None
    oa: float | None
    ece: float | None
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


class AreaRow(DocumentModel):
    """Area of a class in the map, scored or not; `share` (0..1) of the mapped pixels."""

    name: str
    code: int
    map_px: int
    map_ha: float | None
    share: float | None


class RegionMetrics(Scope):
    """The whole document. The top-level figures are those of the split `split`.

    `cautions` are warnings to read before using the map. `labels_product` is the land-cover product that the labels
    come from; None: they are ground truth.
    """

    region: str
    split: str | None
    ignored: tuple[int, ...]
    labels_product: str | None = None
    definition: str
    reading: str
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


def write_metrics(path: Path, metrics: RegionMetrics) -> None:
    """Write the metrics as JSON, atomically."""
    write_document(path, metrics)


def read_metrics(path: Path) -> RegionMetrics:
    """Return the metrics of a region.

    Raises:
        StoreError: the file is missing or damaged.
    """
    return read_document(path, RegionMetrics, "metrics file", "score_region")
