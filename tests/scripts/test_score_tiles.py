import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import zarr

from clairemap.artefacts.tiles import TileId
from clairemap.errors import StoreError
from clairemap.metrics.boundary import boundary_counts
from clairemap.metrics.tally import read_tallies
from clairemap.raster.store import complete_store

Stage = Callable[[str], Callable[..., Any]]


def test_counts_each_tile_exactly(stage: Stage, mapped_scene: SimpleNamespace, legend_json: str, tmp_path: Path):
    made, mapped = mapped_scene.made, mapped_scene.mapped
    scores = tmp_path / "scores.parquet"
    stage("score_tiles")(made.pair, mapped_scene.probabilities, made.tiles, scores, legend_json)
    tiles = read_tallies(scores, 3)
    assert [tile.id for tile in tiles] == [TileId("lake", row, col) for row in range(2) for col in range(2)]
    for tile in tiles:
        row, col = tile.id.row, tile.id.col
        area = np.s_[256 * row : 256 * (row + 1), 256 * col : 256 * (col + 1)]
        truth, found = made.label[area], mapped[area]
        for t in range(3):
            for m in range(3):
                assert tile.counts.confusion[t, m] == np.count_nonzero((truth == t) & (found == m))
        assert tile.counts.unmapped_px == np.count_nonzero((truth != 255) & (found == 255))
        np.testing.assert_array_equal(tile.finer.boundary, boundary_counts(truth, found, 3, 2))
        assert tile.finer.entropy > 0
        assert tile.counts.calibration.px.nonzero()[0].tolist() == [11]  # 204/255 = 0.8 belongs to (11/15, 12/15]


def test_pixels_valid_in_both_sensors_are_counted_separately(
    stage: Stage, mapped_scene: SimpleNamespace, legend_json: str, tmp_path: Path
):
    made, scores = mapped_scene.made, tmp_path / "scores.parquet"
    stage("score_tiles")(made.pair, mapped_scene.probabilities, made.tiles, scores, legend_json)
    seen = (made.label != 255) & ((made.validity & 0b111) == 0)  # no nodata of either sensor, no cloud
    tiles = read_tallies(scores, 3)
    assert sum(tile.both.confusion.sum() for tile in tiles) == seen.sum()
    assert 0 < seen.sum() < sum(tile.counts.confusion.sum() for tile in tiles)
    assert all((tile.both.confusion <= tile.counts.confusion).all() for tile in tiles)


def test_labels_on_a_tile_without_valid_sensor_are_unmapped(
    stage: Stage, mapped_scene: SimpleNamespace, legend_json: str, tmp_path: Path
):
    made, scores = mapped_scene.made, tmp_path / "scores.parquet"
    index = pd.read_parquet(made.tiles)
    index.loc[0, ["valid_px", "labelled_px"]] = 0  # as in the index of a tile without a valid sensor
    index.to_parquet(made.tiles)
    store = zarr.open_group(mapped_scene.probabilities, mode="r+")
    store["probability"][:, :256, :256] = 0
    complete_store(mapped_scene.probabilities, tmp_path / "p.zarr")
    stage("score_tiles")(made.pair, tmp_path / "p.zarr", made.tiles, scores, legend_json)
    first = read_tallies(scores, 3)[0]
    assert first.id == TileId("lake", 0, 0)
    assert first.counts.unmapped_px == np.count_nonzero(made.label[:256, :256] != 255)
    assert not first.counts.confusion.any()


def test_a_scene_without_labels_gives_an_empty_table(
    stage: Stage, unlabelled_scene: SimpleNamespace, legend_json: str, tmp_path: Path
):
    made, scores = unlabelled_scene.made, tmp_path / "scores.parquet"
    stage("score_tiles")(made.pair, unlabelled_scene.probabilities, made.tiles, scores, legend_json)
    assert read_tallies(scores, 3) == []


def test_equal_inputs_give_equal_bytes(stage: Stage, mapped_scene: SimpleNamespace, legend_json: str, tmp_path: Path):
    made = mapped_scene.made
    for name in ("a", "b"):
        stage("score_tiles")(made.pair, mapped_scene.probabilities, made.tiles, tmp_path / name, legend_json)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_another_legend_is_an_error(stage: Stage, mapped_scene: SimpleNamespace, legend_json: str, tmp_path: Path):
    made, other = mapped_scene.made, json.loads(legend_json)
    other["legend"]["classes"][0]["code"] = 9
    with pytest.raises(StoreError, match="class codes"):
        stage("score_tiles")(made.pair, mapped_scene.probabilities, made.tiles, tmp_path / "x", json.dumps(other))
    assert not (tmp_path / "x").exists()
