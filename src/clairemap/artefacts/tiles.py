"""Tile index of a scene: ``tiles.parquet`` with pixel counts per tile."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from clairemap.artefacts.table import columns_of, read_frame, write_rows


@dataclass(frozen=True, order=True)
class TileId:
    """Scene of a tile, and its row and column in the tile grid of the scene. Tables of tiles have these columns."""

    scene: str
    row: int
    col: int


TILE_ID = tuple(field.name for field in fields(TileId))
"""Columns that identify a tile."""


@dataclass(frozen=True)
class TileRow:
    """One tile: row and column in the tile grid, window, and pixel counts.

    Attributes:
        valid_px: mappable pixels, that is, usable in at least one sensor.
        optical_px: pixels usable in the optical image.
        sar_px: pixels usable in SAR.
        cloud_px: pixels flagged as cloud.
        cloud_unknown_px: optical pixels that no cloud mask covers.
        labelled_px: labelled, mappable pixels.
        class_px: labelled, mappable pixels by class index.
        optical_hash: hash of the optical values, clouds included (`tiles.copies.content_hash`); None if the tile
            cannot be identified by them.
        sar_hash: hash of the SAR values, likewise.
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

    @property
    def id(self) -> TileId:
        """Scene, row and column."""
        return TileId(self.scene, self.row, self.col)


TILE_SCHEMA = pa.schema(columns_of(TileRow))


def write_tile_index(path: Path, rows: Iterable[TileRow], stamp: Mapping[str, str]) -> None:
    """Write rows as Parquet, sorted by scene, row and column, atomically."""
    ordered = sorted(rows, key=lambda row: row.id)
    write_rows(path, [asdict(row) for row in ordered], TILE_SCHEMA, stamp)


def read_tile_index(path: Path) -> pd.DataFrame:
    """Return a tile index with the columns of `TileRow`; `class_px` are int64 arrays.

    Raises:
        StoreError: the file is missing, damaged, or lacks columns.
    """
    return read_frame(path, TILE_SCHEMA.names, "tile index", "tile_scene")


def tile_rows(index: pd.DataFrame) -> Iterator[TileRow]:
    """Yield the tiles of an index in order."""
    names = [field.name for field in fields(TileRow)]
    for values in index[names].itertuples(index=False, name=None):
        named: dict[str, Any] = dict(zip(names, values, strict=True))
        named["class_px"] = tuple(int(count) for count in named["class_px"])
        for name in ("optical_hash", "sar_hash"):
            named[name] = named[name] if isinstance(named[name], str) else None
        yield TileRow(**named)
