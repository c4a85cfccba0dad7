"""The accuracy of a region's map as a file: ``metrics.json``."""

from pathlib import Path
from typing import Literal

from clairemap.artefacts.document import Part, read_document, write_document
from clairemap.artefacts.radiometry_check import SensorVerdict
from clairemap.settings import Sensor

Figure = Literal["mIoU", "OA"]
SupportLevel = Literal["unseen", "few", "enough"]


class BelowSingleSensor(Part):
    """A figure for which the map from both sensors scores below the better single-sensor map; in 0..1.

    `scene` is None for all compared scenes together, `pixels` are the labelled ones that all maps are scored on.
    """

    scene: str | None
    sensor: str
    figure: Figure
    fused: float
    alone: float
    pixels: int


class ClassSupport(Part):
    """A class, its number of labelled training pixels, and a rating of that number."""

    name: str
    code: int
    training_px: int
    learning: SupportLevel


class ClassRow(Part):
    """Figures of one class in 0..1; null where they are undefined. `too_few`: truth_px is below MIN_TRUTH_PX."""

    name: str
    code: int
    iou: float | None
    f1: float | None
    users_accuracy: float | None
    producers_accuracy: float | None
    truth_px: int
    map_px: int
    too_few: bool


class Scope(Part):
    """Figures of a set of tiles. `reason` says why there are none; `confusion` has the labels' classes as rows.

    `too_few` marks figures of fewer than MIN_TRUTH_PX pixels.
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
    """Figures of one scene, and the splits that its scored tiles belong to.

    `views` are the maps from both sensors and from one, on the pixels that both see; empty if they weren't compared.
    """

    tile_splits: tuple[str, ...]
    views: dict[str, Scope]


class AreaRow(Part):
    """What a class covers in the map, scored or not; `share` of the mapped pixels in 0..1."""

    name: str
    code: int
    map_px: int
    map_ha: float | None
    share: float | None


class RegionMetrics(Scope):
    """The whole document. The headline figures are those of the split `split`.

    `cautions` are sentences that a user has to read before trusting the map.
    """

    region: str
    split: str | None
    ignored: tuple[int, ...]
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
    """Write the metrics as JSON, whole or not at all."""
    write_document(path, metrics)


def read_metrics(path: Path) -> RegionMetrics:
    """Return the metrics of a region.

    Raises:
        StoreError: the file is missing or damaged.
    """
    return read_document(path, RegionMetrics, "document of metrics", "score_region")
