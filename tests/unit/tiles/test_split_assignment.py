import itertools
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clairemap.artefacts.splits import read_splits, write_splits
from clairemap.errors import SettingsError, StoreError
from clairemap.grid.window import Window
from clairemap.settings import SplitsSettings, load_settings
from clairemap.tiles.split_assignment import (
    FAR_PX,
    add_test_scenes,
    assign_splits,
    distances_px,
    labelled_tiles,
    split_rows,
)

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


def test_a_scene_without_tiles_is_an_error():
    with pytest.raises(StoreError, match="'b'"):
        assign_splits(grid("a", 1, 1), {"a": "train", "b": "val"}, SplitsSettings(), 0)


def test_blocks_meet_the_shares():
    chosen = block(block_tiles=2, val_share=0.2, test_share=0.1, buffer_px=0)
    table = assign_splits(grid("a", 10, 10), {"a": "train"}, chosen, 3)
    assert count(table, "val") == 20
    assert count(table, "test") in (8, 12)
    assert count(table, "buffer") == 0


def test_the_buffer_keeps_training_away():
    chosen = block(block_tiles=2, val_share=0.1, buffer_px=150)
    table = assign_splits(grid("a", 12, 12), {"a": "train"}, chosen, 3)
    assert nearest_gap_px(table, "buffer") == 0
    assert nearest_gap_px(table, "train") == 200


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
def test_too_few_tiles_all_train_with_a_warning(rows: int, cols: int, buffer_px: int, caplog: pytest.LogCaptureFixture):
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
def test_properties_of_all_block_splits(
    rows: int, cols: int, block_tiles: int, val_share: float, test_share: float, buffer_px: int, seed: int
):
    index = grid("a", rows, cols)
    chosen = block(block_tiles=block_tiles, val_share=val_share, test_share=test_share, buffer_px=buffer_px)
    table = assign_splits(index, {"a": "train"}, chosen, seed)
    assert len(table) == rows * cols
    assert count(table, "train") > 0
    gap = nearest_gap_px(table, "train")
    assert gap is None or gap >= buffer_px
    blocks = table.groupby([table["row"] // block_tiles, table["col"] // block_tiles])["split"]
    assert all(len(set(splits)) == 1 for _, splits in blocks if set(splits) & {"val", "test"})
    if val_share > 0 and len(blocks) > 1 and buffer_px == 0:
        assert count(table, "val") > 0


RANDOM = SplitsSettings(method="random", accept_leakage=True, val_share=0.2, test_share=0.1)


def test_single_tiles_are_held_out_only_if_the_settings_insist(caplog: pytest.LogCaptureFixture):
    with pytest.raises(SettingsError, match=r"splits: .*28 % .*accept_leakage: true"):
        load_settings({"splits": {"method": "random"}})
    table = assign_splits(grid("a", 20, 20), {"a": "train"}, RANDOM, 0)
    assert [count(table, split) for split in ("train", "val", "test", "buffer")] == [280, 80, 40, 0]
    assert nearest_gap_px(table, "train") == 0
    assert table.loc[table["split"] == "val", ["row", "col"]].nunique().tolist() == [20, 20]  # no blocks: everywhere
    assert "overestimate the accuracy" in caplog.text


def test_random_tiles_depend_only_on_seed_scene_and_position():
    index, beside = grid("a", 8, 8), grid("b", 8, 8)
    table = assign_splits(index, {"a": "train"}, RANDOM, 1)
    assert assign_splits(index.sample(frac=1, random_state=0), {"a": "train"}, RANDOM, 1).equals(table)
    assert not assign_splits(index, {"a": "train"}, RANDOM, 2)["split"].equals(table["split"])
    other = assign_splits(beside, {"b": "train"}, RANDOM, 1)
    assert not other["split"].equals(table["split"])
    held = assign_splits(pd.concat([index, beside]), {"a": "train", "b": "test"}, RANDOM, 1)
    assert held.loc[held["scene"] == "a", "split"].tolist() == table["split"].tolist()
    assert set(held.loc[held["scene"] == "b", "split"]) == {"test"}


@pytest.mark.parametrize("chosen", [SplitsSettings(), block(block_tiles=2, buffer_px=100), RANDOM])
def test_a_new_test_scene_does_not_change_the_training_tiles(chosen: SplitsSettings):
    index = pd.concat([grid("b", 6, 6), grid("c", 3, 3), grid("a", 2, 2)])
    training = assign_splits(index, {"b": "train", "c": "val"}, chosen, 0)
    table = add_test_scenes(training, index, ["a"])
    assert table["scene"].is_monotonic_increasing
    assert set(table.loc[table["scene"] == "a", "split"]) == {"test"}
    assert split_rows(table[table["scene"] != "a"]) == split_rows(training)
    assert split_rows(table) == split_rows(assign_splits(index, {"b": "train", "c": "val", "a": "test"}, chosen, 0))
    assert split_rows(add_test_scenes(training, index, [])) == split_rows(training)
    with pytest.raises(StoreError, match="'d'"):
        add_test_scenes(training, index, ["d"])


def test_labelled_tiles_of_a_split():
    index = pd.concat([grid("b", 1, 2, unlabelled={(0, 0)}), grid("a", 1, 1)])
    table = assign_splits(index, {"a": "val", "b": "train"}, SplitsSettings(), 0)
    (tile,) = labelled_tiles(table, "train")
    assert (tile.scene, tile.window, tile.class_px, tile.labelled_px) == ("b", Window(0, 100, 100, 100), (20, 30), 50)
    assert labelled_tiles(table, "test") == ()


def test_the_table_is_read_as_written(tmp_path: Path):
    table = assign_splits(grid("a", 2, 2), {"a": "train"}, SplitsSettings(), 0)
    write_splits(tmp_path / "new" / "splits.parquet", table)
    again = read_splits(tmp_path / "new" / "splits.parquet")
    assert split_rows(again) == split_rows(table)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["splits.parquet"]


def test_rows_for_hashing_are_plain_values():
    table = assign_splits(grid("a", 1, 1), {"a": "train"}, SplitsSettings(), 0)
    table["class_px"] = [np.array([20, 30])]
    assert split_rows(table) == [["a", 0, 0, 0, 0, 100, 100, 50, [20, 30], "train"]]


def test_distance_is_the_larger_gap_of_rows_and_columns_to_the_nearest_held_out_tile_of_the_scene():
    table = pd.concat([grid("a", 3, 5), grid("b", 1, 1)], ignore_index=True)
    held = ((table["scene"] == "a") & (table["row"] == 0) & (table["col"] == 0)).to_numpy()
    keys = table[["scene", "row", "col"]].itertuples(index=False, name=None)
    found = dict(zip(keys, distances_px(table, held).tolist(), strict=True))
    places = {("a", 0, 0): 0, ("a", 0, 1): 0, ("a", 1, 1): 0, ("a", 0, 3): 200, ("a", 2, 0): 100, ("a", 2, 3): 200}
    assert {place: found[place] for place in places} == places
    assert found["b", 0, 0] == FAR_PX
