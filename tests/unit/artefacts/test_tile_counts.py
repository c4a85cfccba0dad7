from pathlib import Path

import pyarrow.parquet as pq
import pytest

from clairemap.artefacts.tile_counts import (
    FinerPixelCounts,
    PixelCounts,
    TileCounts,
    read_tile_counts,
    write_tile_counts,
)
from clairemap.artefacts.tiles import TileId
from clairemap.errors import StoreError

COUNTS = PixelCounts((3, 0, 1, 5), 2, (4, 5), (3, 5), (2.5, 4.75))
NONE = PixelCounts((0, 0, 0, 0), 0, (0, 0), (0, 0), (0.0, 0.0))
FINER = FinerPixelCounts((4, 3, 5, 2, 0, 0, 1, 0), 12.5)


def test_round_trip(tmp_path: Path):
    tiles = [TileCounts(TileId("a", 0, col), COUNTS, NONE, FINER) for col in range(2)]
    write_tile_counts(tmp_path / "scores.parquet", tiles, {"clairemap_version": "x"})
    assert read_tile_counts(tmp_path / "scores.parquet") == tiles
    assert pq.read_schema(tmp_path / "scores.parquet").metadata == {b"clairemap_version": b"x"}


def test_damaged_table_is_an_error(tmp_path: Path):
    path = tmp_path / "scores.parquet"
    with pytest.raises(StoreError, match=r"scores\.parquet: not a valid score table .*run score_tiles again"):
        read_tile_counts(path)
    write_tile_counts(path, [], {})
    pq.write_table(pq.read_table(path).drop_columns("both_bin_px"), path)
    with pytest.raises(StoreError, match=r"columns \['both_bin_px'\] are missing"):
        read_tile_counts(path)
