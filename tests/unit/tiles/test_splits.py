import itertools
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from clairemap.errors import StoreError
from clairemap.grid.window import Window
from clairemap.settings import SplitsSettings
from clairemap.tiles.splits import assign_splits, audit_splits, labelled_tiles, read_splits, split_rows, write_splits

TILE_PX = 100


def grid(scene: str, rows: int, cols: int, unlabelled: Collection[tuple[int, int]] = ()):
    return pd.DataFrame(
        [
            {
                "scene": scene,
                "row": row,
                "col": col,
                "y0": row * TILE_PX,
                "x0": col * TILE_PX,
                "height": TILE_PX,
                "width": TILE_PX,
                "labelled_px": 0 if (row, col) in unlabelled else 50,
                "class_px": [0, 0] if (row, col) in unlabelled else [20, 30],
                "valid_px": 10_000,
            }
            for row, col in itertools.product(range(rows), range(cols))
        ]
    )


def block(**values: float):
    return SplitsSettings(method="block", **values)


def count(table: pd.DataFrame, split: str):
    return int((table["split"] == split).sum())


def nearest_gap_px(table: pd.DataFrame, split: str):
    held = table[table["split"].isin(["val", "test"])]
    gaps = [
        max(abs(tile.row - other.row), abs(tile.col - other.col)) * TILE_PX - TILE_PX
        for tile in table[table["split"] == split].itertuples()
        for other in held[held["scene"] == tile.scene].itertuples()
    ]
    return min(gaps, default=None)


def test_scenes_keep_their_split():
    index = pd.concat([grid("a", 2, 2), grid("b", 1, 2), grid("c", 1, 1), grid("d", 1, 1)])
    table = assign_splits(index, {"a": "train", "b": "val", "c": "test", "d": "predict"}, SplitsSettings(), 0)
    assert table.groupby("scene")["split"].unique().map(list).to_dict() == {"a": ["train"], "b": ["val"], "c": ["test"]}
    audit = audit_splits(table, "scene", {})
    assert audit.tiles == {"train": 4, "val": 2, "test": 1, "buffer": 0}
    assert audit.smallest_distance_px is None
    assert audit.overlapping_share is None


def test_the_audit_counts_labelled_tiles_only():
    index = pd.concat([grid("a", 2, 2, unlabelled={(0, 0), (1, 1)}), grid("b", 1, 2, unlabelled={(0, 1)})])
    table = assign_splits(index, {"a": "train", "b": "test"}, SplitsSettings(), 0)
    assert audit_splits(table, "scene", {}).tiles == {"train": 2, "val": 0, "test": 1, "buffer": 0}


def scene_grid(x0: float, crs: str | None = "EPSG:32633"):
    return GeoBox((2 * TILE_PX, 2 * TILE_PX), Affine(10, 0, x0, 0, -10, 5_000_000), crs)


def test_training_under_held_out_ground_of_another_scene_is_told(caplog: pytest.LogCaptureFixture):
    index = pd.concat([grid("a", 2, 2), grid("b", 2, 2, unlabelled={(0, 0)}), grid("c", 2, 2)])
    table = assign_splits(index, {"a": "train", "b": "test", "c": "val"}, SplitsSettings(), 0)
    grids = {"a": scene_grid(500_000), "b": scene_grid(501_000), "c": scene_grid(500_000, None)}
    # of b's three labelled tiles one lies on a's right column; c has no CRS
    assert audit_splits(table, "scene", grids).overlapping_share == pytest.approx(1 / 3, abs=1e-4)
    assert "cover 33.33 % of the ground that is held out" in caplog.text


def test_a_scene_without_tiles_is_an_error():
    with pytest.raises(StoreError, match="'b'"):
        assign_splits(grid("a", 1, 1), {"a": "train", "b": "val"}, SplitsSettings(), 0)


def test_blocks_meet_the_shares():
    chosen = block(block_tiles=2, val_share=0.2, test_share=0.1, buffer_px=0)
    table = assign_splits(grid("a", 10, 10), {"a": "train"}, chosen, 3)
    assert count(table, "val") == 20
    assert count(table, "test") in (8, 12)
    assert count(table, "buffer") == 0
    assert audit_splits(table, "block", {}).smallest_distance_px == 0


def test_the_buffer_keeps_training_away():
    chosen = block(block_tiles=2, val_share=0.1, buffer_px=150)
    table = assign_splits(grid("a", 12, 12), {"a": "train"}, chosen, 3)
    assert nearest_gap_px(table, "buffer") == 0
    assert nearest_gap_px(table, "train") == audit_splits(table, "block", {}).smallest_distance_px == 200


def test_scenes_that_are_held_out_stay_whole():
    index = pd.concat([grid("a", 4, 4), grid("b", 4, 4)])
    table = assign_splits(index, {"a": "train", "b": "test"}, block(block_tiles=1, val_share=0.5, buffer_px=0), 0)
    assert set(table.loc[table["scene"] == "b", "split"]) == {"test"}
    assert set(table.loc[table["scene"] == "a", "split"]) == {"train", "val"}


def test_blocks_are_drawn_from_the_seed_not_from_the_order_of_rows():
    index = grid("a", 8, 8)
    chosen = block(block_tiles=2, val_share=0.3, buffer_px=0)
    table = assign_splits(index, {"a": "train"}, chosen, 1)
    assert assign_splits(index.sample(frac=1, random_state=0), {"a": "train"}, chosen, 1).equals(table)
    assert not assign_splits(index, {"a": "train"}, chosen, 2)["split"].equals(table["split"])


def test_blocks_without_labels_are_not_held_out():
    unlabelled = {(row, col) for row in range(4) for col in range(3)}
    table = assign_splits(
        grid("a", 4, 4, unlabelled), {"a": "train"}, block(block_tiles=1, val_share=0.5, buffer_px=0), 0
    )
    assert list(table.loc[table["split"] == "val", "col"]) == [3, 3]


@pytest.mark.parametrize(("rows", "cols", "buffer_px"), [(1, 1, 0), (1, 2, 256), (2, 2, 300)])
def test_too_few_tiles_all_train_and_that_is_said(
    rows: int, cols: int, buffer_px: int, caplog: pytest.LogCaptureFixture
):
    chosen = block(block_tiles=1, val_share=0.5, buffer_px=buffer_px)
    table = assign_splits(grid("a", rows, cols), {"a": "train"}, chosen, 0)
    assert set(table["split"]) == {"train"}
    assert "held out for val" in caplog.text


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 7),
    cols=st.integers(1, 7),
    block_tiles=st.integers(1, 4),
    val_share=st.sampled_from([0.0, 0.01, 0.3, 1.0]),
    test_share=st.sampled_from([0.0, 0.2]),
    buffer_px=st.sampled_from([0, 1, 100, 250]),
    seed=st.integers(0, 5),
)
def test_what_holds_for_all_block_splits(
    rows: int, cols: int, block_tiles: int, val_share: float, test_share: float, buffer_px: int, seed: int
):
    index = grid("a", rows, cols)
    chosen = block(block_tiles=block_tiles, val_share=val_share, test_share=test_share, buffer_px=buffer_px)
    table = assign_splits(index, {"a": "train"}, chosen, seed)
    assert len(table) == rows * cols
    assert count(table, "train") > 0
    gap = nearest_gap_px(table, "train")
    assert audit_splits(table, "block", {}).smallest_distance_px == gap
    assert gap is None or gap >= buffer_px
    blocks = table.groupby([table["row"] // block_tiles, table["col"] // block_tiles])["split"]
    assert all(len(set(splits)) == 1 for _, splits in blocks if set(splits) & {"val", "test"})
    if val_share > 0 and len(blocks) > 1 and buffer_px == 0:
        assert count(table, "val") > 0


def test_labelled_tiles_of_a_split():
    index = pd.concat([grid("b", 1, 2, unlabelled={(0, 0)}), grid("a", 1, 1)])
    table = assign_splits(index, {"a": "val", "b": "train"}, SplitsSettings(), 0)
    (tile,) = labelled_tiles(table, "train")
    assert (tile.scene, tile.window, tile.class_px, tile.labelled_px) == ("b", Window(0, 100, 100, 100), (20, 30), 50)
    assert labelled_tiles(table, "test") == ()


def test_the_table_comes_back_from_its_file(tmp_path: Path):
    table = assign_splits(grid("a", 2, 2), {"a": "train"}, SplitsSettings(), 0)
    write_splits(table, tmp_path / "new" / "splits.parquet")
    again = read_splits(tmp_path / "new" / "splits.parquet")
    assert split_rows(again) == split_rows(table)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["splits.parquet"]


@pytest.mark.parametrize("content", [None, b"no parquet", "lacks columns"])
def test_a_damaged_table_is_told(tmp_path: Path, content: str | bytes | None):
    path = tmp_path / "splits.parquet"
    if content == "lacks columns":
        pd.DataFrame({"scene": ["a"]}).to_parquet(path)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(StoreError, match="fit_statistics"):
        read_splits(path)


def test_rows_for_hashing_are_plain_values():
    table = assign_splits(grid("a", 1, 1), {"a": "train"}, SplitsSettings(), 0)
    table["class_px"] = [np.array([20, 30])]
    assert split_rows(table) == [["a", 0, 0, 0, 0, 100, 100, 50, [20, 30], "train"]]
