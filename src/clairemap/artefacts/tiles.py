"""The tile index of a scene as a file, ``tiles.parquet``: a row of pixel counts for each tile."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from clairemap.artefacts.table import columns_of, read_frame, write_table


@dataclass(frozen=True)
class TileRow:
    """One tile: its place in the grid of tiles, its window, and pixel counts.

    `valid_px` can be mapped from at least one sensor, `optical_px` and `sar_px` are usable in that sensor, `cloud_px`
    are flagged as cloud, `cloud_unknown_px` are those of `optical_px` that no cloud mask covers (all of them without a
    mask). `class_px` counts by class index the pixels that have a label and can be mapped, `labelled_px` is their sum.
    The hashes identify the values of each sensor, clouds included (`tiles.copies.content_hash`); None where nothing can
    be identified.
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


SCHEMA = pa.schema(columns_of(TileRow))


def write_tile_index(path: Path, rows: Iterable[TileRow], stamp: Mapping[str, str]) -> None:
    """Write rows as Parquet, ordered by scene, row and column, whole or not at all."""
    ordered = sorted(rows, key=lambda row: (row.scene, row.row, row.col))
    metadata = {"clairemap": json.dumps(dict(stamp), sort_keys=True)}
    write_table(path, [asdict(row) for row in ordered], SCHEMA, metadata)


def read_tile_index(path: Path) -> pd.DataFrame:
    """Return the rows of an index; columns as in `TileRow`, `class_px` as int64 arrays.

    Raises:
        StoreError: the file is missing or damaged, or columns are missing in it.
    """
    return read_frame(path, SCHEMA.names, "tile index", "tile_scene")


def tile_rows(index: pd.DataFrame) -> Iterator[TileRow]:
    """Yield the tiles of an index, in its order."""
    names = [field.name for field in fields(TileRow)]
    for values in index[names].itertuples(index=False, name=None):
        named: dict[str, Any] = dict(zip(names, values, strict=True))
        named["class_px"] = tuple(int(count) for count in named["class_px"])
        for name in ("optical_hash", "sar_hash"):
            named[name] = named[name] if isinstance(named[name], str) else None
        yield TileRow(**named)
