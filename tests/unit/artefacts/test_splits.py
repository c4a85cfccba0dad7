from pathlib import Path

import pandas as pd
import pytest

from clairemap.artefacts.splits import INDEX_COLUMNS, read_splits
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
