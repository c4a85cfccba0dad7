from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from clairemap.artefacts.tile_counts import PixelCounts
from clairemap.artefacts.tiles import TileId
from clairemap.classes import IGNORE_INDEX
from clairemap.errors import StoreError
from clairemap.metrics.finer_counts import FinerCounts, finer_counts
from clairemap.metrics.tally import Tally, TileTally, read_tallies, tally, write_tallies


def made_tile(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, (20, 20), dtype=np.uint8)
    truth[:2] = IGNORE_INDEX
    probability = rng.integers(1, 250, (3, 20, 20), dtype=np.uint8)
    probability[:, :, :5] = 0
    return truth, probability


def test_labelled_pixels_are_either_in_the_matrix_or_unmapped():
    counts = tally(*made_tile(0))
    assert counts.unmapped_px == 18 * 5
    assert counts.confusion.sum() == 18 * 15
    assert counts.calibration.px.sum() == 18 * 15
    assert counts.calibration.correct.sum() == np.trace(counts.confusion)
    assert counts.tiles == 1


def test_round_trip(tmp_path: Path):
    tiles = [
        TileTally(
            TileId("a", 0, col), tally(*made_tile(col)), tally(*made_tile(col + 9)), finer_counts(*made_tile(col), 1)
        )
        for col in range(3)
    ]
    write_tallies(tmp_path / "scores.parquet", tiles, {"clairemap_version": "x"})
    back = read_tallies(tmp_path / "scores.parquet", 3)
    assert [tile.id for tile in back] == [TileId("a", 0, 0), TileId("a", 0, 1), TileId("a", 0, 2)]
    for written, read in zip(tiles, back, strict=True):
        np.testing.assert_array_equal(written.counts.confusion, read.counts.confusion)
        np.testing.assert_array_equal(written.counts.calibration.confidence, read.counts.calibration.confidence)
        assert written.counts.unmapped_px == read.counts.unmapped_px
        np.testing.assert_array_equal(written.both.confusion, read.both.confusion)
        np.testing.assert_array_equal(written.finer.boundary, read.finer.boundary)
        assert written.finer.entropy == read.finer.entropy > 0
    assert pq.read_schema(tmp_path / "scores.parquet").metadata[b"clairemap_version"] == b"x"


def test_sums_do_not_depend_on_the_order():
    a, b, c = (tally(*made_tile(seed)) for seed in range(3))
    np.testing.assert_array_equal((a + b + c).confusion, (c + a + b).confusion)
    assert sum([a, b, c], start=Tally.empty(3)).tiles == 3


def test_counts_by_name_are_complete():
    counts = tally(*made_tile(0)) + tally(*made_tile(1))
    arrays, again = counts.arrays(), Tally.of(counts.arrays()).arrays()
    assert {field.name for field in fields(PixelCounts)} == set(arrays) - {"tiles"}
    for name, values in arrays.items():
        assert values.dtype == Tally.empty(3).arrays()[name].dtype
        np.testing.assert_array_equal(values, again[name])
    assert not any(values.any() for values in Tally.empty(3).arrays().values())


def test_table_without_tiles_is_valid(tmp_path: Path):
    write_tallies(tmp_path / "scores.parquet", [], {})
    assert read_tallies(tmp_path / "scores.parquet", 3) == []


def test_damaged_table_or_other_legend_is_an_error(tmp_path: Path):
    path = tmp_path / "scores.parquet"
    write_tallies(path, [TileTally(TileId("a", 0, 0), tally(*made_tile(0)), Tally.empty(3), FinerCounts.empty(3))], {})
    with pytest.raises(StoreError, match="not a valid score table for 4 classes"):
        read_tallies(path, 4)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(StoreError, match="run score_tiles again"):
        read_tallies(path, 3)
