"""The tile index: one row for each tile of a scene, with what can be learnt or mapped from it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from clairemap.classes import IGNORE_INDEX
from clairemap.errors import StoreError
from clairemap.grid.tiles import Tile
from clairemap.provenance import written_whole
from clairemap.tiles.copies import content_hash
from clairemap.validity import Flags, Validity, has_none, mappable, optical_usable, sar_usable

_PLACE = ("row", "col", "y0", "x0", "height", "width")
_COUNTS = (*_PLACE, "valid_px", "optical_px", "sar_px", "cloud_px", "cloud_unknown_px", "labelled_px")
SCHEMA = pa.schema(
    [
        ("scene", pa.string()),
        *((name, pa.int64()) for name in _COUNTS),
        ("class_px", pa.list_(pa.int64())),
        ("optical_hash", pa.string()),
        ("sar_hash", pa.string()),
    ]
)


@dataclass(frozen=True, eq=False)
class TileLayers:
    """A tile's pixels: bands (band, y, x), class indices and validity flags (y, x)."""

    optical: NDArray[Any]
    sar: NDArray[Any]
    label: NDArray[np.uint8]
    validity: Flags


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


def tile_row(scene: str, tile: Tile, layers: TileLayers, classes: int) -> TileRow:
    """Return the row of a tile from its pixels; `classes` is the number of classes."""
    validity, label = layers.validity, layers.label
    usable = mappable(validity)
    class_px = np.bincount(label[usable & (label != IGNORE_INDEX)], minlength=classes)
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
        optical_hash=content_hash(layers.optical, has_none(validity, Validity.OPTICAL_NODATA)),
        sar_hash=content_hash(layers.sar, has_none(validity, Validity.SAR_NODATA)),
    )


def write_tile_index(path: Path, rows: Iterable[TileRow], stamp: Mapping[str, str]) -> None:
    """Write rows as Parquet, ordered by scene, row and column, whole or not at all."""
    ordered = sorted(rows, key=lambda row: (row.scene, row.row, row.col))
    table = pa.Table.from_pylist([asdict(row) for row in ordered], schema=SCHEMA)
    with written_whole(path) as part:
        pq.write_table(table.replace_schema_metadata({"clairemap": json.dumps(dict(stamp), sort_keys=True)}), part)


def tile_rows(index: pd.DataFrame) -> Iterator[TileRow]:
    """Yield the tiles of an index, in its order."""
    names = [field.name for field in fields(TileRow)]
    for values in index[names].itertuples(index=False, name=None):
        named: dict[str, Any] = dict(zip(names, values, strict=True))
        named["class_px"] = tuple(int(count) for count in named["class_px"])
        for name in ("optical_hash", "sar_hash"):
            named[name] = named[name] if isinstance(named[name], str) else None
        yield TileRow(**named)


def read_tile_index(path: Path) -> pd.DataFrame:
    """Return the rows of an index; columns as in `TileRow`, `class_px` as int64 arrays.

    Raises:
        StoreError: the file is missing, damaged, or holds other columns.
    """
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise StoreError(f"{path}: is no tile index ({error}); delete it and run tile_scene again") from None
    if missing := sorted(set(SCHEMA.names) - set(frame.columns)):
        raise StoreError(f"{path}: the tile index lacks the columns {missing}; delete it and run tile_scene again")
    return frame
