from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from clairemap.artefacts.splits import INDEX_COLUMNS, SPLIT_COLUMNS, read_splits, write_splits
from clairemap.artefacts.tiles import TILE_SCHEMA
from clairemap.errors import StoreError


@pytest.mark.parametrize("content", [None, b"no parquet", "lacks columns"])
def test_damaged_table_is_an_error(tmp_path: Path, content: str | bytes | None):
    path = tmp_path / "splits.parquet"
    if content == "lacks columns":
        pd.DataFrame({"scene": ["a"]}).to_parquet(path)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(StoreError, match="fit_statistics"):
        read_splits(path)


def test_index_columns_are_in_the_tile_index():
    assert set(INDEX_COLUMNS) <= set(TILE_SCHEMA.names)


def test_round_trip_of_equal_tables_gives_equal_files_without_a_stamp(tmp_path: Path):
    rows = [("a", 0, col, 0, 256 * col, 256, 256, 9, np.array([4, 5]), "train") for col in range(2)]
    table = pd.DataFrame(rows, columns=list(SPLIT_COLUMNS))
    for name in ("one", "other"):
        write_splits(tmp_path / name, table)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    assert not pq.read_schema(tmp_path / "one").metadata
    back = read_splits(tmp_path / "one")
    assert [tuple(row[:8]) for row in back.to_numpy().tolist()] == [row[:8] for row in rows]
    assert [counts.tolist() for counts in back["class_px"]] == [[4, 5]] * 2
    write_splits(tmp_path / "empty", table[:0])
    assert len(read_splits(tmp_path / "empty")) == 0
