"""Figures of a region for ``metrics.json``."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from clairemap.artefacts.metrics import (
    AreaRow,
    BelowSingleSensor,
    ClassRow,
    MapScope,
    RegionMetrics,
    SceneScope,
    Scope,
)
from clairemap.artefacts.radiometry_check import RadiometryCheck
from clairemap.classes import Legend
from clairemap.metrics.bootstrap import DRAWS, MIN_BLOCKS
from clairemap.metrics.boundary import boundary_f1
from clairemap.metrics.calibration import expected_calibration_error
from clairemap.metrics.cautions import cautions
from clairemap.metrics.class_areas import ClassAreas
from clairemap.metrics.class_support import class_support
from clairemap.metrics.comparison import below_single_sensor
from clairemap.metrics.finer_counts import FinerCounts
from clairemap.metrics.map_counts import BLOCK_PX, MapCounts, summed
from clairemap.metrics.map_intervals import map_intervals
from clairemap.metrics.scores import MIN_TRUTH_PX, ClassScores, Scores, comparable_scores, scores
from clairemap.metrics.tally import Tally

HEADLINE_ORDER = ("test", "val", "predict", "train")
"""The headline figures are those of the map on test ground if it has MIN_TRUTH_PX scored pixels. Else they are those of
the scenes, of the first split with MIN_TRUTH_PX scored pixels, or else the first with any. Labelled 'predict' scenes
were not used for training and so come before training tiles."""

DEFINITION = (
    "All figures but the ECE come from one confusion matrix in pixels, summed over all tiles of the scope. "
    "IoU = TP / (TP + FP + FN); F1 = 2 TP / (2 TP + FP + FN); user's accuracy = TP / mapped; "
    "producer's accuracy = TP / labelled; OA = correct / scored pixels. mIoU is the unweighted mean IoU of the classes "
    "that occur in the labels or the map of the scope: a class that is only mapped counts as 0, a class in neither is "
    "left out. Pixels without a label, with an ignored label or without a usable sensor of the view are not scored; "
    "labelled ones without a usable sensor are counted as not mapped. Figures of scopes and classes with fewer than "
    f"{MIN_TRUTH_PX} labelled pixels are not reliable. ECE uses 15 confidence bins of equal width and the scenes' "
    "probabilities. The finished map is scored on test tiles: each of its pixels has the label of the scene's pixel at "
    "its centre and counts once; pixels with different labels of two test scenes are left out, and so are pixels with "
    "a label that training or validation used. Figures by split, scene and sensor are of single scenes before these "
    "are merged; there, areas shared by two labelled scenes count in both."
)

READING = (
    "Figures are fractions (0..1), null if undefined. Rows of `confusion` are labels, columns are the map, both in the "
    "order of per_class. map_px counts scored pixels in per_class, all pixels of the map in areas. The top level has "
    "the figures of the scope that `headline` names: `map`, the finished map, or else `scenes`. `f1` is the mean F1 "
    "over the classes of mIoU. `boundary_f1` (Csurka et al. 2013) is the harmonic mean of the shares of boundary "
    "pixels of a class in the map and in the labels that the other one matches within metrics.boundary_tolerance_px, "
    "and the mean over the classes with boundaries; those near unscored pixels and edges of tiles are not judged. "
    "`entropy` is the mean over scored pixels, bits. At the top level, ECE, entropy and `tiles` are those of the test "
    "scenes; in `map`, tiles have 256 x 256 px of the map. "
    f"`intervals` are 95 % intervals: percentiles of {DRAWS:,} draws of blocks of {BLOCK_PX} x {BLOCK_PX} px (2 x 2 "
    f"tiles of the map) with replacement; null with fewer than {MIN_BLOCKS} blocks. `views`, here "
    "and in `scenes`, compare the maps from both sensors and from each sensor alone on the same pixels (those that "
    f"both sensors see); their mIoU averages the same classes (at least {MIN_TRUTH_PX} labelled pixels there). "
    "`learnt` gives the labelled training pixels of each class."
)

SQUARE_METRES_PER_HECTARE = 10_000.0

Sums = Mapping[tuple[str, str], Tally]
"""Counts by scene and split."""

Finer = Mapping[tuple[str, str], FinerCounts]
"""Finer counts by scene and split."""

Summable = TypeVar("Summable", Tally, FinerCounts)

Views = Mapping[tuple[str, str], Tally]
"""Counts by scene and view, of pixels that both sensors see."""


def region_metrics(
    region: str,
    sums: Sums,
    views: Views,
    areas: ClassAreas,
    legend: Legend,
    stamp: dict[str, str],
    training_px: Sequence[int] = (),
    radiometry: Sequence[RadiometryCheck] = (),
    labels_product: str | None = None,
    finer: Finer | None = None,
    on_map: MapCounts | None = None,
) -> RegionMetrics:
    """Return the figures of a region; without labelled pixels they are None, and `reason` says why.

    `training_px` are the labelled training pixels by class index, empty if unknown. `radiometry` compares each
    scene's values with the training scenes. `labels_product` is the land-cover product that the labels come from.
    `finer` are the finer counts of `sums`, `on_map` the counts of the finished maps.
    """
    by_split, by_scene, by_view = _by(sums, 1), _by(sums, 0), _by(views, 1)
    finer_by_split, finer_by_scene = _by(finer or {}, 1), _by(finer or {}, 0)
    splits = {name: scope(counts, legend, finer_by_split.get(name)) for name, counts in by_split.items()}
    whole_map = map_scope(on_map or summed((), len(legend)), legend)
    split = _headline(by_split)
    below = tuple(_below(views, by_view))
    learnt = class_support(legend, training_px)
    headline: Scope = splits[split] if split else scope(Tally.empty(len(legend)), legend)
    if on_test_ground := not whole_map.too_few:
        split, headline = "test", _completed(whole_map, splits.get("test"))
    return RegionMetrics(
        **{name: getattr(headline, name) for name in Scope.model_fields},
        region=region,
        headline="map" if on_test_ground else "scenes" if split else None,
        split=split,
        ignored=legend.ignore,
        definition=DEFINITION,
        reading=READING,
        map=whole_map,
        splits=splits,
        scenes={
            name: SceneScope(
                **dict(scope(counts, legend, finer_by_scene.get(name))),
                tile_splits=tuple(sorted(split for scene, split in sums if scene == name)),
                views={view: comparable_scope(counts, legend) for view, counts in _of_scene(views, name).items()},
            )
            for name, counts in by_scene.items()
        },
        views={name: comparable_scope(counts, legend) for name, counts in by_view.items()},
        below_single_sensor=below,
        learnt=learnt,
        radiometry={check.scene: check.sensors for check in radiometry},
        labels_product=labels_product,
        cautions=cautions(
            learnt, _truth_px(by_split.values(), legend), _missed_px(headline), below, radiometry, labels_product
        ),
        smallest_truth_px=MIN_TRUTH_PX,
        areas=_areas(areas, legend),
        area_method=areas.method,
        stamp=stamp,
    )


def _headline(by_split: Mapping[str, Tally]) -> str | None:
    """Return the split of the headline figures; None without scored pixels."""
    scored = {name: int(by_split[name].confusion.sum()) for name in HEADLINE_ORDER if name in by_split}
    enough = (name for name, pixels in scored.items() if pixels >= MIN_TRUTH_PX)
    return next(enough, None) or next((name for name, pixels in scored.items() if pixels), None)


def _below(views: Views, by_view: Mapping[str, Tally]) -> Iterator[BelowSingleSensor]:
    scenes = tuple(dict.fromkeys(scene for scene, _ in views))
    if len(scenes) > 1:
        yield from below_single_sensor(None, by_view)
    for scene in scenes:
        yield from below_single_sensor(scene, _of_scene(views, scene))


def _of_scene(views: Views, name: str) -> dict[str, Tally]:
    return {view: counts for (scene, view), counts in views.items() if scene == name}


def _missed_px(headline: Scope) -> dict[str, int]:
    return {row.name: row.truth_px for row in headline.per_class if row.producers_accuracy == 0 and not row.too_few}


def _truth_px(tallies: Iterable[Tally], legend: Legend) -> dict[str, int]:
    rows = sum((tally.confusion.sum(1) for tally in tallies), np.zeros(len(legend), np.int64))
    return dict(zip(legend.names, rows.tolist(), strict=True))


def scope(counts: Tally, legend: Legend, finer: FinerCounts | None = None) -> Scope:
    """Return the figures of a set of tiles; without finer counts, those that need them are None."""
    return _scope(counts, scores(counts.confusion), legend, finer)


def map_scope(on_map: MapCounts, legend: Legend) -> MapScope:
    """Return the figures of the finished maps, with intervals."""
    found = dict(scope(on_map.counts, legend, on_map.finer))
    found |= {"entropy": None, "intervals": map_intervals(on_map.blocks, legend)}  # a map has no probabilities
    if not on_map.counts.confusion.any() and not on_map.counts.unmapped_px:
        found["reason"] = "no labels on test ground" + (
            f" ({on_map.training_px} pixels with test labels are on ground used for training)"
            if on_map.training_px
            else ""
        )
    return MapScope(
        **found,
        training_px=on_map.training_px,
        shared_px=on_map.shared_px,
        disagreeing_px=on_map.disagreeing_px,
    )


def _completed(whole_map: MapScope, scenes: Scope | None) -> Scope:
    """Return the figures of the map, with what only the scenes have: ECE, entropy, number of tiles."""
    known = {"ece": scenes.ece, "entropy": scenes.entropy, "tiles": scenes.tiles} if scenes else {}
    return whole_map.model_copy(update=known)


def comparable_scope(counts: Tally, legend: Legend) -> Scope:
    """Return the figures of a view; see `comparable_scores`."""
    return _scope(counts, comparable_scores(counts.confusion), legend)


def _scope(counts: Tally, figures: Scores, legend: Legend, finer: FinerCounts | None = None) -> Scope:
    boundaries = boundary_f1((finer or FinerCounts.empty(len(legend))).boundary)
    if figures.pixels:
        reason = None
    elif counts.unmapped_px:
        reason = f"none of the {counts.unmapped_px} labelled pixels could be mapped"
    else:
        reason = "no labelled pixels"
    return Scope(
        miou=_finite(figures.miou),
        oa=_finite(figures.oa),
        f1=_finite(figures.f1),
        ece=_finite(expected_calibration_error(counts.calibration)),
        boundary_f1=None if np.isnan(boundaries).all() else float(np.nanmean(boundaries)),
        entropy=finer.entropy / figures.pixels if finer and figures.pixels else None,
        classes_averaged=tuple(legend.names[c] for c in figures.averaged),
        per_class=tuple(
            _class_row(c.name, c.code, row, float(boundary))
            for c, row, boundary in zip(legend.classes, figures.per_class, boundaries, strict=True)
        ),
        confusion=tuple(tuple(row) for row in counts.confusion.tolist()),
        pixels=figures.pixels,
        unmapped_px=counts.unmapped_px,
        tiles=counts.tiles,
        too_few=figures.pixels < MIN_TRUTH_PX,
        reason=reason,
    )


def _by(sums: Mapping[tuple[str, str], Summable], position: int) -> dict[str, Summable]:
    totals: dict[str, Summable] = {}
    for key, counts in sums.items():
        totals[key[position]] = totals[key[position]] + counts if key[position] in totals else counts
    return totals


def _class_row(name: str, code: int, row: ClassScores, boundary: float) -> ClassRow:
    return ClassRow(
        name=name,
        code=code,
        iou=_finite(row.iou),
        f1=_finite(row.f1),
        boundary_f1=_finite(boundary),
        users_accuracy=_finite(row.users_accuracy),
        producers_accuracy=_finite(row.producers_accuracy),
        truth_px=row.truth_px,
        map_px=row.map_px,
        too_few=row.truth_px < MIN_TRUTH_PX,
    )


def _areas(areas: ClassAreas, legend: Legend) -> tuple[AreaRow, ...]:
    mapped = int(areas.px.sum())
    return tuple(
        AreaRow(
            name=c.name,
            code=c.code,
            map_px=int(areas.px[index]),
            map_ha=None if areas.m2 is None else float(areas.m2[index]) / SQUARE_METRES_PER_HECTARE,
            share=int(areas.px[index]) / mapped if mapped else None,
        )
        for index, c in enumerate(legend.classes)
    )


def _finite(value: float) -> float | None:
    return None if math.isnan(value) else value
