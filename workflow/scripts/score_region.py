"""Compute accuracy and class areas of a region from the counts of its tiles."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from clairemap.artefacts.metrics import RegionMetrics, write_metrics
from clairemap.artefacts.radiometry_check import read_radiometry_check
from clairemap.artefacts.splits import read_splits
from clairemap.artefacts.tiles import TILE_ID, TileId
from clairemap.classes import Legend
from clairemap.console import run
from clairemap.errors import StoreError
from clairemap.metrics.class_areas import map_class_areas, total_class_areas
from clairemap.metrics.class_support import read_training_px
from clairemap.metrics.region_metrics import region_metrics
from clairemap.metrics.tally import Tally, TileTally, read_tallies
from clairemap.provenance import stamp
from clairemap.stages import ScoreRegion

log = logging.getLogger("clairemap.score_region")


def score_region(
    *,
    region: Annotated[str, typer.Option(help="name of the region")],
    splits: Annotated[Path, typer.Option(help="splits.parquet: the split of each tile")],
    landcover: Annotated[list[Path], typer.Option(help="land-cover map of the region (repeat the option)")],
    metrics: Annotated[Path, typer.Option(help="metrics.json to write")],
    settings: Annotated[str, typer.Option(help="settings of this stage as JSON")],
    scores: Annotated[
        list[Path] | None, typer.Option(help="fused/scores.parquet of each labelled scene (repeat)")
    ] = None,
    compared: Annotated[
        list[Path] | None, typer.Option(help="scores.parquet of one sensor, in a folder optical or sar (repeat)")
    ] = None,
    card: Annotated[Path | None, typer.Option(help="model.json; needed to report classes unseen in training")] = None,
    radiometry: Annotated[list[Path] | None, typer.Option(help="radiometry_check.json of each scene (repeat)")] = None,
) -> None:
    """Write metrics.json; without labels, accuracies are null and the reason is given.

    Memory: the tile table of one scene and one window of a map.

    Raises:
        StoreError: a table or the card is damaged or has another legend, or a tile has no split.
    """
    sections = ScoreRegion.from_json(settings)
    legend = sections.legend
    started = time.monotonic()
    fused = scores or []
    document = region_metrics(
        region,
        _sums(fused, _read_splits(splits), legend),
        _views(fused, compared or [], legend),
        total_class_areas((map_class_areas(path, legend) for path in landcover), len(legend)),
        legend,
        stamp("score_region", settings),
        () if card is None else read_training_px(card, len(legend)),
        [read_radiometry_check(path) for path in radiometry or ()],
        sections.labels.product,
    )
    write_metrics(metrics, document)
    _log(document, time.monotonic() - started)


@dataclass(frozen=True)
class _Splits:
    path: Path
    of_tile: Mapping[TileId, str]
    scenes: frozenset[str]

    def of(self, tile: TileTally) -> str:
        """Return a tile's split; 'predict' for scenes that are not in the splits."""
        if tile.id.scene not in self.scenes:
            return "predict"
        try:
            return self.of_tile[tile.id]
        except KeyError:
            raise StoreError(
                f"{self.path}: tile {tile.id.row}, {tile.id.col} of scene {tile.id.scene} has scores but no split, "
                "because the tiles have changed; delete the file and run again"
            ) from None


def _read_splits(path: Path) -> _Splits:
    table = read_splits(path)
    ids = map(TileId, *(table[name].to_list() for name in TILE_ID))
    return _Splits(path, dict(zip(ids, table["split"], strict=True)), frozenset(table["scene"]))


def _sums(paths: Sequence[Path], splits: _Splits, legend: Legend) -> dict[tuple[str, str], Tally]:
    sums: dict[tuple[str, str], Tally] = {}
    for path in paths:
        for tile in read_tallies(path, len(legend)):
            key = tile.id.scene, splits.of(tile)
            sums[key] = sums.get(key, Tally.empty(len(legend))) + tile.counts
    return sums


def _views(fused: Sequence[Path], compared: Sequence[Path], legend: Legend) -> dict[tuple[str, str], Tally]:
    """Return the counts of each compared scene and view, over pixels usable in both sensors; fused first."""
    scenes = {path.parents[1] for path in compared}
    same = [path for path in fused if path.parents[1] in scenes]
    views: dict[tuple[str, str], Tally] = {}
    for path in [*same, *compared]:
        for tile in read_tallies(path, len(legend)):
            key = tile.id.scene, path.parent.name
            views[key] = views.get(key, Tally.empty(len(legend))) + tile.both
    return views


def _log(document: RegionMetrics, seconds: float) -> None:
    for caution in document.cautions:
        log.warning("%s: %s", document.region, caution)
    if document.miou is None or document.oa is None:
        log.info("%s: no accuracy (%s), %.1f s", document.region, document.reason, seconds)
        return
    log.info(
        "%s: mIoU %.4f over %d classes, OA %.4f, split %s, %d px, %.1f s",
        document.region,
        document.miou,
        len(document.classes_averaged),
        document.oa,
        document.split,
        document.pixels,
        seconds,
    )


if __name__ == "__main__":
    run(score_region)
