"""The explained tiles as compact records for the page's list, map and tile view."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clairemap.artefacts.explanations import ClassFacts, ExplainedTile, Source, TileFacts
from clairemap.artefacts.tiles import TileId
from clairemap.classes import ColoredLegend
from clairemap.grid.window import Window
from clairemap.raster.store import GridStore
from clairemap.report.class_errors import ClassErrors
from clairemap.report.fact_texts import figures
from clairemap.report.map_frame import MapFrame
from clairemap.report.selection import ranks
from clairemap.report.tile_line import tile_line

COLUMNS = (
    "scene", "row", "col", "split", "oa", "miou", "confidence", "optical_share", "cloud", "source", "agreement",
    "classes", "line", "text", "map", "quad", "errors",
)  # fmt: skip
"""Values of a record. `scene` and `split` are positions in the lists of names; accuracies and shares are percent, None
if unknown. `classes` has [class, share of the tile, IoU] for each class; `text` is a text, or a list of sentences, each
with the figures behind it. `quad` has the corners on the map `map` in display coordinates, `errors` the number of
pixels with each of the errors that the tile has: [number of the error, pixels]."""


@dataclass(frozen=True, slots=True)
class TileDigest:
    """What the page needs of each tile, in a tenth of the memory of an `ExplainedTile`.

    Attributes:
        id: the tile.
        order: sorts the weakest tile first: by accuracy, tiles without one after them by confidence.
        ranks: see `selection.ranks`.
        cloud_pct: share under cloud; None if unknown.
        has_unknown_clouds: no cloud mask covers part of the optical image.
        source: who chose the sentences.
        values: values of `COLUMNS` from `oa` to `text`.
    """

    id: TileId
    order: tuple[float, float]
    ranks: tuple[float, ...]
    cloud_pct: float | None
    has_unknown_clouds: bool
    source: Source
    values: tuple[Any, ...]


def digest_of(tile: ExplainedTile, legend: ColoredLegend) -> TileDigest:
    """Return the digest of a tile."""
    facts = tile.facts
    index = {name: number for number, name in enumerate(legend.names)}
    values = (
        facts.oa_pct,
        _mean_iou_pct(facts),
        facts.confidence_pct,
        facts.optical_share_pct,
        facts.cloud_pct,
        tile.source,
        facts.accuracy,
        [_class_row(row, index) for row in facts.classes if row.name in index],
        tile_line(tile),
        _text(tile),
    )
    order = (101.0 if facts.oa_pct is None else facts.oa_pct), facts.confidence_pct
    return TileDigest(tile.id, order, ranks(tile), facts.cloud_pct, facts.has_unknown_clouds, tile.source, values)


def weakest_first(tiles: Iterable[TileDigest]) -> list[TileDigest]:
    """Return tiles in the order of the page's list."""
    return sorted(tiles, key=lambda tile: (tile.order, tile.id))


def records(
    ordered: Sequence[TileDigest],
    splits: Mapping[TileId, str],
    places: Mapping[TileId, tuple[int, list[float]]],
    errors: ClassErrors,
) -> dict[str, Any]:
    """Return a record of each tile in the given order, and the names that the records refer to.

    Args:
        ordered: the tiles.
        splits: split of each tile; those that are missing were not used in training.
        places: number of the map, and corners, of each tile that is on a map.
        errors: the largest errors of the classes.
    """
    scenes = sorted({tile.id.scene for tile in ordered})
    numbers = {name: number for number, name in enumerate(scenes)}
    split_names = sorted({splits.get(tile.id, "predict") for tile in ordered})
    rows = [
        [
            numbers[tile.id.scene],
            tile.id.row,
            tile.id.col,
            split_names.index(splits.get(tile.id, "predict")),
            *tile.values,
            *places.get(tile.id, (None, [])),
            errors.of_tile.get(tile.id, []),
        ]
        for tile in ordered
    ]
    return {"columns": COLUMNS, "scenes": scenes, "splits": split_names, "errors": errors.pairs, "rows": rows}


def _mean_iou_pct(facts: TileFacts) -> float | None:
    known = [row.iou for row in facts.classes if row.iou is not None]
    return round(100 * sum(known) / len(known), 1) if known else None


def _class_row(row: ClassFacts, index: Mapping[str, int]) -> list[float | None]:
    return [index[row.name], row.area_pct, row.iou]


def _text(tile: ExplainedTile) -> str | list[list[Any]]:
    """Return the text; where its sentences name the facts behind them, each sentence with these figures."""
    if not tile.sentences:
        return tile.text
    return [[sentence.text, figures(tile.facts, sentence.about)] for sentence in tile.sentences]


def tile_places(
    windows: Mapping[TileId, Window], stores: Mapping[str, GridStore], frames: Mapping[str, tuple[int, MapFrame]]
) -> dict[TileId, tuple[int, list[float]]]:
    """Return the map and the corners of each tile that is on a map.

    Args:
        windows: window of each tile on its scene's grid.
        stores: pair of each scene.
        frames: number and frame of the map of each scene.
    """
    of_scene: dict[str, list[tuple[TileId, Window]]] = {}
    for tile, window in windows.items():
        of_scene.setdefault(tile.scene, []).append((tile, window))
    found = {}
    for scene, own in of_scene.items():
        if scene not in frames:
            continue
        store = stores[scene]
        number, frame = frames[scene]
        rows = np.array([[w.y0, w.y0, w.y1, w.y1] for _, w in own], np.float64)
        columns = np.array([[w.x0, w.x1, w.x1, w.x0] for _, w in own], np.float64)
        x, y = frame.placed(store.geobox, rows, columns)
        for (tile, _), xs, ys in zip(own, x, y, strict=True):
            if np.isfinite(xs + ys).all():
                found[tile] = number, [round(float(v), 1) for corner in zip(xs, ys, strict=True) for v in corner]
    return found
