"""The document that a region's figures are published in: ``metrics.json``."""

import math
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from clairemap.classes import Legend
from clairemap.metrics.calibration import expected_calibration_error
from clairemap.metrics.ground import Coverage
from clairemap.metrics.scores import DEFINITION, ClassScores, scores
from clairemap.metrics.tally import Tally

HEADLINE_ORDER = ("test", "val", "predict", "train")
"""The first of these that has scored pixels gives the headline figures. Labelled scenes of the split 'predict' were
not trained on, so they go before the training tiles."""

READING = (
    "Figures are fractions 0..1, null where undefined. Rows of `confusion` are the labels, columns the map, both in "
    "the order of per_class. map_px in per_class counts scored pixels, in areas the whole map."
)

SQUARE_METRES_PER_HECTARE = 10_000.0


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClassRow(_Part):
    """Figures of one class in 0..1; null where they are undefined."""

    name: str
    code: int
    iou: float | None
    f1: float | None
    users_accuracy: float | None
    producers_accuracy: float | None
    truth_px: int
    map_px: int


class Scope(_Part):
    """Figures of a set of tiles. `reason` says why there are none; `confusion` has the labels' classes as rows."""

    miou: float | None
    oa: float | None
    ece: float | None
    classes_averaged: tuple[str, ...]
    per_class: tuple[ClassRow, ...]
    confusion: tuple[tuple[int, ...], ...]
    pixels: int
    unmapped_px: int
    tiles: int
    reason: str | None


class SceneScope(Scope):
    """Figures of one scene, and the splits that its scored tiles belong to."""

    tile_splits: tuple[str, ...]


class AreaRow(_Part):
    """What a class covers in the map, scored or not; `share` of the mapped pixels in 0..1."""

    name: str
    code: int
    map_px: int
    map_ha: float | None
    share: float | None


class RegionMetrics(Scope):
    """The whole document. The figures at the top are those of the split that `split` names."""

    region: str
    split: str | None
    ignored: tuple[int, ...]
    definition: str
    reading: str
    splits: dict[str, Scope]
    scenes: dict[str, SceneScope]
    views: dict[str, Scope]
    areas: tuple[AreaRow, ...]
    area_method: str
    stamp: dict[str, str]


Sums = Mapping[tuple[str, str], Tally]
"""Counts by scene and split."""


def region_metrics(
    region: str,
    sums: Sums,
    views: Mapping[str, Tally],
    coverage: Coverage,
    legend: Legend,
    stamp: dict[str, str],
) -> RegionMetrics:
    """Return the document of a region. Without any labelled pixel its figures are null, with the reason."""
    nothing = Tally.empty(len(legend))
    by_split = _by(sums, 1, nothing)
    by_scene = _by(sums, 0, nothing)
    split = next((name for name in HEADLINE_ORDER if name in by_split and by_split[name].confusion.any()), None)
    headline = scope(by_split[split] if split else nothing, legend)
    return RegionMetrics(
        **dict(headline),
        region=region,
        split=split,
        ignored=legend.ignore,
        definition=DEFINITION,
        reading=READING,
        splits={name: scope(counts, legend) for name, counts in by_split.items()},
        scenes={
            name: SceneScope(
                **dict(scope(counts, legend)),
                tile_splits=tuple(sorted(split for scene, split in sums if scene == name)),
            )
            for name, counts in by_scene.items()
        },
        views={name: scope(counts, legend) for name, counts in views.items()},
        areas=_areas(coverage, legend),
        area_method=coverage.method,
        stamp=stamp,
    )


def scope(counts: Tally, legend: Legend) -> Scope:
    """Return the figures of some tiles."""
    figures = scores(counts.confusion)
    if figures.pixels:
        reason = None
    elif counts.unmapped_px:
        reason = f"none of the {counts.unmapped_px} labelled pixels could be mapped"
    else:
        reason = "no labelled pixels"
    return Scope(
        miou=_finite(figures.miou),
        oa=_finite(figures.oa),
        ece=_finite(expected_calibration_error(counts.calibration)),
        classes_averaged=tuple(legend.names[c] for c in figures.averaged),
        per_class=tuple(
            _class_row(c.name, c.code, row) for c, row in zip(legend.classes, figures.per_class, strict=True)
        ),
        confusion=tuple(tuple(row) for row in counts.confusion.tolist()),
        pixels=figures.pixels,
        unmapped_px=counts.unmapped_px,
        tiles=counts.tiles,
        reason=reason,
    )


def _by(sums: Sums, position: int, nothing: Tally) -> dict[str, Tally]:
    totals: dict[str, Tally] = {}
    for key, counts in sums.items():
        totals[key[position]] = totals.get(key[position], nothing) + counts
    return totals


def _class_row(name: str, code: int, row: ClassScores) -> ClassRow:
    return ClassRow(
        name=name,
        code=code,
        iou=_finite(row.iou),
        f1=_finite(row.f1),
        users_accuracy=_finite(row.users_accuracy),
        producers_accuracy=_finite(row.producers_accuracy),
        truth_px=row.truth_px,
        map_px=row.map_px,
    )


def _areas(coverage: Coverage, legend: Legend) -> tuple[AreaRow, ...]:
    mapped = int(coverage.px.sum())
    return tuple(
        AreaRow(
            name=c.name,
            code=c.code,
            map_px=int(coverage.px[index]),
            map_ha=None if coverage.m2 is None else float(coverage.m2[index]) / SQUARE_METRES_PER_HECTARE,
            share=int(coverage.px[index]) / mapped if mapped else None,
        )
        for index, c in enumerate(legend.classes)
    )


def _finite(value: float) -> float | None:
    return None if math.isnan(value) else value
