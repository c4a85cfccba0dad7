"""The tile index: one row for each tile of a scene, with what can be learnt or mapped from it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from clairemap.classes import IGNORE_INDEX
from clairemap.errors import StoreError
from clairemap.grid.tiles import Tile
from clairemap.provenance import written_whole
from clairemap.raster.histogram import histogram
from clairemap.raster.pair_block import PairBlock
from clairemap.tiles.copies import content_hash
from clairemap.validity import Validity, has_none, mappable, optical_usable, sar_usable

_PLACE = ("row", "col", "y0", "x0", "height", "width")
_INTEGER_COLUMNS = (*_PLACE, "valid_px", "optical_px", "sar_px", "cloud_px", "cloud_unknown_px", "labelled_px")
TILE_SCHEMA = pa.schema(
    [
        ("scene", pa.string()),
        *((name, pa.int64()) for name in _INTEGER_COLUMNS),
        ("class_px", pa.list_(pa.int64())),
        ("optical_hash", pa.string()),
        ("sar_hash", pa.string()),
    ]
)


@dataclass(frozen=True)
class TileRow:
    """One tile: its place in the grid of tiles, its window, and how many of its pixels are what.

    `valid_px` can be mapped from one sensor at least, `optical_px` and `sar_px` are usable in that sensor, `cloud_px`
    are flagged as cloud, `cloud_unknown_px` are those of `optical_px` of which no cloud mask says anything (all of
    them without a mask). `class_px` counts by class index the pixels that have a label and can be mapped,
    `labelled_px` is their sum. The hashes stand for what each sensor holds, clouds included (`copies.content_hash`);
    None where there is nothing to know the tile by.
    """

    scene: str
    row: int
    col: int
    y0: int
    x0: int
    height: int
    width: int
    valid_px: int
    optical_px: int
    sar_px: int
    cloud_px: int
    cloud_unknown_px: int
    labelled_px: int
    class_px: tuple[int, ...]
    optical_hash: str | None = None
    sar_hash: str | None = None


def tile_row(scene: str, tile: Tile, block: PairBlock, classes: int) -> TileRow:
    """Return the row of a tile from its layers; `classes` is the number of classes."""
    validity, label = block.validity, block.label
    usable = mappable(validity)
    class_px = histogram(label[usable & (label != IGNORE_INDEX)])[:classes]
    return TileRow(
        scene=scene,
        row=tile.row,
        col=tile.col,
        y0=tile.window.y0,
        x0=tile.window.x0,
        height=tile.window.height,
        width=tile.window.width,
        valid_px=int(usable.sum()),
        optical_px=int(optical_usable(validity).sum()),
        sar_px=int(sar_usable(validity).sum()),
        cloud_px=int((~has_none(validity, Validity.CLOUD)).sum()),
        cloud_unknown_px=int((~has_none(validity, Validity.CLOUD_UNKNOWN)).sum()),
        labelled_px=int(class_px.sum()),
        class_px=tuple(int(count) for count in class_px),
        optical_hash=content_hash(block.optical, has_none(validity, Validity.OPTICAL_NODATA)),
        sar_hash=content_hash(block.sar, has_none(validity, Validity.SAR_NODATA)),
    )


def write_tile_index(path: Path, rows: Iterable[TileRow], stamp: Mapping[str, str]) -> None:
    """Write rows as Parquet, ordered by scene, row and column, whole or not at all."""
    ordered = sorted(rows, key=lambda row: (row.scene, row.row, row.col))
    table = pa.Table.from_pylist([asdict(row) for row in ordered], schema=TILE_SCHEMA)
    with written_whole(path) as temporary:
        pq.write_table(table.replace_schema_metadata({"clairemap": json.dumps(dict(stamp), sort_keys=True)}), temporary)


def read_tile_index(path: Path) -> pd.DataFrame:
    """Return the rows of an index; columns as in `TileRow`, `class_px` as int64 arrays.

    Raises:
        StoreError: the file is missing, damaged, or holds other columns.
    """
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise StoreError(f"{path}: is no tile index ({error}); delete it and run tile_scene again") from None
    if missing := sorted(set(TILE_SCHEMA.names) - set(frame.columns)):
        raise StoreError(f"{path}: the tile index lacks the columns {missing}; delete it and run tile_scene again")
    return frame
