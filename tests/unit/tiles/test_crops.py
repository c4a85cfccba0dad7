from types import ModuleType
from typing import Any

import numpy as np
import pytest

from clairemap.grid.window import Window
from clairemap.raster.store import open_store
from clairemap.tiles.crops import Crop, padded, read_crop, read_masks

TILE = Window(0, 256, 256, 244)


@pytest.fixture(scope="module")
def scenes(made_pairs: ModuleType, tmp_path_factory: pytest.TempPathFactory):
    return [made_pairs.make_scene(tmp_path_factory.mktemp("crops"), "a", shape=(300, 500))]


def test_a_crop_holds_the_stores_values_and_where_they_count(scenes: list[Any], made_pairs: ModuleType):
    (scene,) = scenes
    store = open_store(scene.pair)
    window = Window(5, 300, 60, 80)
    crop = read_crop(store, read_masks(store, TILE), window)
    inside = window.slices
    assert np.array_equal(crop.optical, scene.optical[:, *inside])
    assert np.array_equal(crop.sar, scene.sar[:, *inside])
    flaws = made_pairs.OPTICAL_NODATA | made_pairs.CLOUD
    assert np.array_equal(crop.optical_weight[0] == 1, (scene.validity[inside] & flaws) == 0)
    assert not crop.optical_weight[:, :27].any() and crop.optical_weight[:, 27:].all()
    assert crop.sar_weight.all()
    assert np.array_equal(crop.target, scene.label[inside])
    assert {layer.dtype.name for layer in (crop.optical, crop.sar, crop.optical_weight, crop.sar_weight)} == {"float32"}


def test_nothing_is_learnt_where_no_sensor_sees_the_ground(scenes: list[Any]):
    (scene,) = scenes
    masks = read_masks(open_store(scene.pair), Window(0, 0, 256, 256))
    assert scene.label[20, 8] != 255
    assert np.all(masks.target[:32, :16] == 255)  # cloud above, no SAR
    assert np.array_equal(masks.target[32:, :16], scene.label[32:256, :16])


def test_padding_adds_pixels_that_do_not_count():
    ones = np.ones((1, 2, 3), np.float32)
    crop = padded(Crop(ones, ones, ones, ones, np.zeros((2, 3), np.uint8)), 4, 4)
    assert crop.optical.shape == crop.sar_weight.shape == (1, 4, 4)
    assert crop.optical_weight.sum() == crop.sar_weight.sum() == 6
    assert np.count_nonzero(crop.target == 255) == 10
    assert crop.has_labels
    assert padded(crop, 4, 4) is crop
