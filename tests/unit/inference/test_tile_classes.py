from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from clairemap.classes import IGNORE_INDEX
from clairemap.grid.tiles import tiles
from clairemap.inference.predict import Prediction, predict_scene
from clairemap.inference.probabilities import PROBABILITY
from clairemap.inference.tile_classes import TileMapper
from clairemap.nets.bundle import Bundle
from clairemap.raster.most_probable import most_probable
from clairemap.raster.store import GridStore, open_store
from clairemap.settings import InferenceSettings
from clairemap.validity import Validity

Make = Callable[..., GridStore]


@pytest.mark.parametrize("view", ["fused", "optical", "sar"])
@pytest.mark.parametrize("window_px", [384, 1024])
def test_tiles_are_mapped_as_in_the_whole_scene(
    view: str, window_px: int, make_pair: Make, bundle: Bundle, tmp_path: Path
):
    pair = make_pair((600, 500))
    whole = Prediction(bundle, view, InferenceSettings(window_px=1024))
    predict_scene(pair, whole, tmp_path / "probabilities.zarr", {})
    expected = most_probable(open_store(tmp_path / "probabilities.zarr").array(PROBABILITY)[:]).index
    mapper = TileMapper(pair, Prediction(bundle, view, InferenceSettings(window_px=window_px)))
    for tile in tiles(pair.shape, pair.tile_px):
        found = mapper.classes(tile.window)
        assert (found == expected[tile.window.slices]).mean() > 0.999  # rounding may change ties


def test_tile_without_the_sensor_is_unmapped(make_pair: Make, bundle: Bundle):
    flags = np.zeros((256, 256), np.uint8)
    flags[:] = Validity.OPTICAL_NODATA
    pair = make_pair(flags.shape, flags)
    tile = next(iter(tiles(pair.shape, pair.tile_px))).window
    assert (TileMapper(pair, Prediction(bundle, "optical", InferenceSettings())).classes(tile) == IGNORE_INDEX).all()
    assert (TileMapper(pair, Prediction(bundle, "sar", InferenceSettings())).classes(tile) != IGNORE_INDEX).all()
