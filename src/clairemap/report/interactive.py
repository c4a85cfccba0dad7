"""What the page's script needs: maps with their layers, tiles, names and colours, within the page's size."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps

from clairemap.artefacts.splits import read_splits
from clairemap.artefacts.tiles import TILE_ID, TileId
from clairemap.grid.window import Window
from clairemap.outputs import MapFiles
from clairemap.raster.store import GridStore
from clairemap.report.budget import Budget
from clairemap.report.class_errors import ClassErrors
from clairemap.report.content import DisplaySettings, Interactive, SamplePoint, TilePictures
from clairemap.report.map_frame import MapFrame
from clairemap.report.map_viewer import shown_map
from clairemap.report.page_data import to_json
from clairemap.report.pictures import CONFIDENCE_COLORS, ERROR_COLORS, SHARE_COLORS, tile_pictures
from clairemap.report.scene_choice import from_cloudy_to_clear
from clairemap.report.style import COUNT_KEY
from clairemap.report.tile_records import TileDigest, records, tile_places, weakest_first

MAP_SHARE = 0.6
"""Share of the page's size that the map's pictures may use; the rest is for those of tiles."""

RAMP_STEPS = 21

Stores = Mapping[str, tuple[GridStore, GridStore]]
"""Pair and probabilities of each scene."""


def interactive(
    maps: Sequence[MapFiles],
    stores: Stores,
    windows: Mapping[TileId, Window],
    digests: Sequence[TileDigest],
    splits: Mapping[TileId, str],
    errors: ClassErrors,
    on_cards: Iterable[TileId],
    display: DisplaySettings,
    budget: Budget,
    sample: Sequence[SamplePoint] = (),
    earlier: Sequence[Path] = (),
) -> Interactive:
    """Return the data of the page's script.

    `sample` are points of the first map; `earlier` are land-cover files of an earlier run, one for each map.

    Memory: the page, and one map's pictures or one tile at a time.

    Raises:
        UnreadableFileError: a map is missing or damaged.
        StoreError: a store is damaged.
    """
    shown: list[dict[str, Any]] = []
    pictures: list[str] = []
    unread: list[str] = []
    frames: dict[str, tuple[int, MapFrame]] = {}
    left_for_maps = int(MAP_SHARE * budget.left)
    pairs = {scene: pair for scene, (pair, _) in stores.items()}
    ordered_pairs = from_cloudy_to_clear(pairs.values(), digests)
    for number, files in enumerate(maps):
        own = [pair for pair in ordered_pairs if len(maps) == 1 or pair.scene == files.name]
        part = Budget(left_for_maps // len(maps))
        found = shown_map(files, own, display, part, len(pictures), len(maps), earlier[number] if earlier else None)
        found.data["outlines"] = [[pair.scene, found.frame.outline(pair.geobox)] for pair in own]
        found.data["points"] = [
            [*found.frame.centre(point.row, point.column), point.reference, point.mapped]
            for point in (sample if number == 0 else ())
        ]
        budget.use(left_for_maps // len(maps) - part.left)
        shown.append(found.data)
        pictures.extend(found.pictures)
        unread.extend(found.unread)
        frames.update({pair.scene: (number, found.frame) for pair in own})
    ordered = weakest_first(digests)
    tiles = records(ordered, splits, tile_places(windows, pairs, frames), errors)
    budget.use(len(to_json(tiles)))
    data = {
        "classes": [{"name": c.name, "color": c.color} for c in display.legend.classes],
        "ramps": {"confidence": ramp(CONFIDENCE_COLORS), "optical_share": ramp(SHARE_COLORS)},
        "scenes": [[color, label] for color, label in COUNT_KEY],
        "errors": [list(color) for color in ERROR_COLORS],
        "maps": shown,
        "tiles": tiles,
    }
    return Interactive(
        data=data,
        pictures=tuple(pictures),
        tiles=tuple(_tiles(ordered, stores, windows, frozenset(on_cards), display, budget)),
        unread=tuple(unread),
    )


def ramp(colors: str) -> list[list[int]]:
    """Return the colours of a colour map for 0, 5, 10 … 100 %."""
    table = colormaps[colors](np.linspace(0, 1, RAMP_STEPS))[:, :3] * 255
    return [[int(value) for value in row] for row in table.round()]


def tile_splits(path: Path) -> dict[TileId, str]:
    """Return the split of each tile in a split table; nothing without the file."""
    if not path.exists():
        return {}
    table = read_splits(path)
    columns = (table[name].to_list() for name in (*TILE_ID, "split"))
    return {TileId(scene, row, col): split for scene, row, col, split in zip(*columns, strict=True)}


def _tiles(
    ordered: Sequence[TileDigest],
    stores: Stores,
    windows: Mapping[TileId, Window],
    on_cards: frozenset[TileId],
    display: DisplaySettings,
    budget: Budget,
) -> Iterator[tuple[int, TilePictures]]:
    """Yield position and pictures of tiles without a card, weakest first, while the budget lasts."""
    for position, tile in enumerate(ordered):
        if tile.id in on_cards:
            continue
        shown = tile_pictures(*stores[tile.id.scene], windows[tile.id], display)
        size = sum(len(picture.source) for picture in shown.all if picture)
        if not budget.allows(size):
            return
        budget.use(size)
        yield position, shown
