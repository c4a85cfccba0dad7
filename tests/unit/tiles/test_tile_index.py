from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from clairemap.artefacts.tiles import read_tile_index, tile_rows, write_tile_index
from clairemap.grid.tiles import Tile
from clairemap.grid.window import Window
from clairemap.raster.pair_block import PairBlock
from clairemap.tiles.copies import content_hash
from clairemap.tiles.index import tile_row
from clairemap.validity import Validity

TILE = Tile(2, 1, Window(256, 128, 2, 4))
V = Validity
VALIDITY = np.array(
    [
        [0, V.OPTICAL_NODATA, V.SAR_NODATA, V.OPTICAL_NODATA | V.SAR_NODATA],
        [V.CLOUD, V.CLOUD | V.SAR_NODATA, V.NO_LABEL, V.LOW_REGISTRATION | V.CLOUD_UNKNOWN],
    ],
    np.uint8,
)
LABEL = np.array([[0, 0, 2, 1], [2, 1, 255, 0]], np.uint8)
BLOCK = PairBlock(
    optical=np.arange(16).reshape(2, 2, 4),
    sar=np.full((1, 2, 4), -7.5, np.float32),
    label=LABEL,
    validity=VALIDITY,
)


def test_a_row_counts_what_can_be_used() -> None:
    row = tile_row("alps", TILE, BLOCK, 4)
    assert (row.scene, row.row, row.col, row.y0, row.x0, row.height, row.width) == ("alps", 2, 1, 256, 128, 2, 4)
    assert row.valid_px == 6
    assert row.optical_px == 4
    assert row.sar_px == 5
    assert row.cloud_px == 2
    assert row.cloud_unknown_px == 1
    assert row.class_px == (3, 0, 2, 0)  # class 1 is only in pixels that cannot be mapped
    assert row.labelled_px == 5
    assert row.optical_hash == content_hash(BLOCK.optical, (VALIDITY & V.OPTICAL_NODATA) == 0)  # clouds are content
    assert row.sar_hash is None  # one value everywhere


def test_rows_are_written_in_order_and_read_back(tmp_path: Path) -> None:
    first = tile_row("alps", TILE, BLOCK, 3)
    second = tile_row("alps", Tile(0, 3, Window(0, 384, 2, 4)), BLOCK, 3)
    write_tile_index(tmp_path / "tiles.parquet", [first, second], {"clairemap_version": "1"})
    frame = read_tile_index(tmp_path / "tiles.parquet")
    assert frame[["row", "col"]].to_numpy().tolist() == [[0, 3], [2, 1]]
    assert frame["valid_px"].tolist() == [6, 6]
    assert np.stack(frame["class_px"]).tolist() == [[3, 0, 2], [3, 0, 2]]
    assert frame["class_px"][0].dtype == np.int64
    assert frame["optical_hash"].tolist() == [first.optical_hash] * 2 and frame["sar_hash"].isna().all()
    assert b"clairemap_version" in pq.read_metadata(tmp_path / "tiles.parquet").metadata
    assert [path.name for path in tmp_path.iterdir()] == ["tiles.parquet"]


def test_rows_are_read_as_written(tmp_path: Path) -> None:
    rows = [tile_row("alps", Tile(0, col, Window(0, 4 * col, 2, 4)), BLOCK, 3) for col in (0, 1)]
    write_tile_index(tmp_path / "tiles.parquet", rows, {})
    found = list(tile_rows(read_tile_index(tmp_path / "tiles.parquet").iloc[::-1]))
    assert found == rows[::-1]
    assert {type(row.y0) for row in found} == {int}
