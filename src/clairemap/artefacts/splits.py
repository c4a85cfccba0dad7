"""Split of each tile: ``training_splits.parquet``, and ``splits.parquet`` that includes the test scenes."""

from pathlib import Path
from typing import Literal, get_args

import pandas as pd
import pyarrow as pa

from clairemap.artefacts.table import read_frame, write_frame
from clairemap.artefacts.tiles import TILE_ID, TILE_SCHEMA

TileSplit = Literal["train", "val", "test", "buffer"]
TILE_SPLITS: tuple[TileSplit, ...] = get_args(TileSplit)
HELD_OUT: tuple[Literal["val", "test"], ...] = ("val", "test")

INDEX_COLUMNS = (*TILE_ID, "y0", "x0", "height", "width", "labelled_px", "class_px")
"""Columns of the tile index (`tiles.TileRow`)."""

SPLIT_COLUMNS = (*INDEX_COLUMNS, "split")
SPLIT_SCHEMA = pa.schema([*(TILE_SCHEMA.field(name) for name in INDEX_COLUMNS), pa.field("split", pa.string())])


def write_splits(path: Path, table: pd.DataFrame) -> None:
    """Write a split table as Parquet, atomically.

    It has no stamp: equal splits give equal files, so that training does not run again.
    """
    write_frame(path, table, SPLIT_SCHEMA)


def read_splits(path: Path) -> pd.DataFrame:
    """Return a split table with the columns SPLIT_COLUMNS.

    Raises:
        StoreError: the file is missing, damaged, or lacks columns.
    """
    return read_frame(path, SPLIT_COLUMNS, "split table", "fit_statistics or audit_splits")
