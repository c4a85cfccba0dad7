"""Compute accuracy and class areas of a region from the counts of its tiles."""

import logging
import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from clairemap.artefacts.metrics import RegionMetrics, write_metrics
from clairemap.artefacts.radiometry_check import read_radiometry_check
from clairemap.artefacts.splits import read_splits
from clairemap.artefacts.tiles import TILE_ID
from clairemap.classes import Legend
from clairemap.console import run
from clairemap.errors import StoreError
from clairemap.grid.rounding import ceil_div
from clairemap.grid.window import Window
from clairemap.inference.grid import reached_window
from clairemap.metrics.class_areas import map_class_areas, total_class_areas
from clairemap.metrics.class_support import read_training_px
from clairemap.metrics.finer_counts import FinerCounts
from clairemap.metrics.label_ground import LEARNT, TEST, UNUSED, LabelledScene
from clairemap.metrics.map_counts import MapCounts, map_counts, summed
from clairemap.metrics.region_metrics import region_metrics
from clairemap.metrics.tally import Tally, TileTally, read_tallies
from clairemap.provenance import stamp
from clairemap.raster.source import RasterSource
from clairemap.raster.store import GridStore, check_store
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
    pair: Annotated[
        list[Path] | None, typer.Option(help="pair.zarr of each labelled test, training and validation scene (repeat)")
    ] = None,
    compared: Annotated[
        list[Path] | None, typer.Option(help="scores.parquet of one sensor, in a folder optical or sar (repeat)")
    ] = None,
    card: Annotated[Path | None, typer.Option(help="model.json; needed to report classes unseen in training")] = None,
    radiometry: Annotated[list[Path] | None, typer.Option(help="radiometry_check.json of each scene (repeat)")] = None,
) -> None:
    """Write metrics.json; without labels, accuracies are null and the reason is given.

    Maps are scored where labelled tiles of this region's scenes are of split test. Memory: the tile table of one scene
    and one window of a map.

    Raises:
        StoreError: a table or the card is damaged or has another legend, or a tile has no split.
    """
    sections = ScoreRegion.from_json(settings)
    legend = sections.legend
    started = time.monotonic()
    fused = scores or []
    tile_splits = _read_splits(splits)
    sums, finer = _sums(fused, tile_splits, legend)
    document = region_metrics(
        region,
        sums,
        _views(fused, compared or [], legend),
        total_class_areas((map_class_areas(path, legend) for path in landcover), len(legend)),
        legend,
        stamp("score_region", settings),
        () if card is None else read_training_px(card, len(legend)),
        [read_radiometry_check(path) for path in radiometry or ()],
        sections.labels.product,
        finer,
        _on_maps(landcover, pair or [], tile_splits, frozenset(path.parents[1].name for path in fused), sections),
    )
    write_metrics(metrics, document)
    _log(document, time.monotonic() - started)


@dataclass(frozen=True)
class _Splits:
    path: Path
    of_scene: Mapping[str, Mapping[tuple[int, int], str]]

    def of(self, tile: TileTally) -> str:
        """Return a tile's split; 'predict' for scenes that are not in the splits."""
        tiles = self.of_scene.get(tile.id.scene)
        if tiles is None:
            return "predict"
        try:
            return tiles[tile.id.row, tile.id.col]
        except KeyError:
            raise StoreError(
                f"{self.path}: tile {tile.id.row}, {tile.id.col} of scene {tile.id.scene} has scores but no split, "
                "because the tiles have changed; delete the file and run again"
            ) from None

    def roles(self, store: GridStore, *, is_scored: bool) -> NDArray[np.uint8]:
        """Return the role of each tile of a scene for the score of the map, (tile row, tile column)."""
        roles = np.full([ceil_div(side, store.tile_px) for side in store.shape], UNUSED, np.uint8)
        for place, split in self.of_scene.get(store.scene, {}).items():
            if split in ("train", "val"):
                roles[place] = LEARNT
            elif split == "test" and is_scored:
                roles[place] = TEST
        return roles


def _read_splits(path: Path) -> _Splits:
    table = read_splits(path)
    of_scene: dict[str, dict[tuple[int, int], str]] = {}
    for scene, row, col, split in zip(*(table[name].to_list() for name in (*TILE_ID, "split")), strict=True):
        of_scene.setdefault(scene, {})[row, col] = split
    return _Splits(path, of_scene)


def _sums(
    paths: Sequence[Path], splits: _Splits, legend: Legend
) -> tuple[dict[tuple[str, str], Tally], dict[tuple[str, str], FinerCounts]]:
    """Return the counts by scene and split."""
    sums: dict[tuple[str, str], Tally] = {}
    finer: dict[tuple[str, str], FinerCounts] = {}
    for path in paths:
        for tile in read_tallies(path, len(legend)):
            key = tile.id.scene, splits.of(tile)
            sums[key] = sums.get(key, Tally.empty(len(legend))) + tile.counts
            finer[key] = finer.get(key, FinerCounts.empty(len(legend))) + tile.finer
    return sums, finer


def _on_maps(
    landcover: Sequence[Path], pairs: Sequence[Path], splits: _Splits, scored: frozenset[str], settings: ScoreRegion
) -> MapCounts:
    """Return the counts of the region's maps on test ground. `scored` are the region's labelled scenes."""
    stores = [check_store(path) for path in pairs]
    with_roles = [(store, splits.roles(store, is_scored=store.scene in scored)) for store in stores]
    legend, parts = settings.legend, []
    for path in landcover:
        with RasterSource(path) as source:
            # A map without a CRS is that of one scene: the only one of the region if there is one map, or of its name.
            own = scored if len(landcover) == 1 else scored & {path.name.removesuffix(".landcover.tif")}
            placed = [
                LabelledScene(store, source.geobox, window, roles)
                for store, roles in with_roles
                if (window := _window(store, source.geobox, own)) is not None
            ]
            parts.append(map_counts(source, placed, legend, settings.metrics.boundary_tolerance_px))
    return summed(parts, len(legend))


def _window(store: GridStore, grid: GeoBox, own: Set[str]) -> Window | None:
    """Return the window of a map that a scene reaches; None if it cannot be placed on the map."""
    if store.geobox.crs is None or grid.crs is None:
        return Window.whole(grid.shape.yx) if store.scene in own and store.geobox.crs == grid.crs else None
    window = reached_window(store.geobox, grid)
    return None if window.is_empty else window


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
        "%s: %s, mIoU %.4f over %d classes, OA %.4f, split %s, %d px, %.1f s",
        document.region,
        document.headline,
        document.miou,
        len(document.classes_averaged),
        document.oa,
        document.split,
        document.pixels,
        seconds,
    )


if __name__ == "__main__":
    run(score_region)
