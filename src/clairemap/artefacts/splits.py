"""Split of each tile: ``training_splits.parquet``, and ``splits.parquet`` that includes the test scenes."""

from pathlib import Path
from typing import Literal, get_args

import pandas as pd

from clairemap.artefacts.table import read_frame
from clairemap.provenance import written_whole

TileSplit = Literal["train", "val", "test", "buffer"]
TILE_SPLITS: tuple[TileSplit, ...] = get_args(TileSplit)
HELD_OUT: tuple[Literal["val", "test"], ...] = ("val", "test")

INDEX_COLUMNS = ("scene", "row", "col", "y0", "x0", "height", "width", "labelled_px", "class_px")
"""Columns of the tile index (`tiles.TileRow`)."""

SPLIT_COLUMNS = (*INDEX_COLUMNS, "split")


def write_splits(path: Path, table: pd.DataFrame) -> None:
    """Write a split table as Parquet, atomically."""
    with written_whole(path) as temporary:
        table.to_parquet(temporary, index=False)


def read_splits(path: Path) -> pd.DataFrame:
    """Return a split table with the columns SPLIT_COLUMNS.

    Raises:
        StoreError: the file is missing, damaged, or lacks columns.
    """
    return read_frame(path, SPLIT_COLUMNS, "split table", "fit_statistics or audit_splits")
