from pathlib import Path

import pytest

from clairemap.artefacts.tiles import read_tile_index, write_tile_index
from clairemap.errors import StoreError


def test_index_without_rows_is_valid(tmp_path: Path) -> None:
    write_tile_index(tmp_path / "tiles.parquet", [], {})
    frame = read_tile_index(tmp_path / "tiles.parquet")
    assert len(frame) == 0 and "class_px" in frame


def test_errors_name_the_file_or_the_missing_column(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="gone"):
        read_tile_index(tmp_path / "gone.parquet")
    (tmp_path / "half.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(StoreError, match="half"):
        read_tile_index(tmp_path / "half.parquet")
    write_tile_index(tmp_path / "tiles.parquet", [], {})
    read_tile_index(tmp_path / "tiles.parquet").drop(columns="class_px").to_parquet(tmp_path / "other.parquet")
    with pytest.raises(StoreError, match="class_px"):
        read_tile_index(tmp_path / "other.parquet")
