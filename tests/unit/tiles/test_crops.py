from types import ModuleType
from typing import Any

import numpy as np
import pytest

from clairemap.grid.window import Window
from clairemap.raster.store import open_store
from clairemap.tiles.crops import Crop, SarOffset, pad, read_crop, read_masks

TILE = Window(0, 256, 256, 244)


@pytest.fixture(scope="module")
def scenes(made_pairs: ModuleType, tmp_path_factory: pytest.TempPathFactory):
    return [made_pairs.make_scene(tmp_path_factory.mktemp("crops"), "a", shape=(300, 500))]


def test_a_crop_contains_the_stores_values_and_weights(scenes: list[Any], made_pairs: ModuleType):
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


@pytest.mark.parametrize("offset", [SarOffset(0, 0), SarOffset(2, -1), SarOffset(-1, 2), SarOffset(-2, -2)])
def test_displaced_sar_is_only_read_from_the_tile(scenes: list[Any], offset: SarOffset):
    (scene,) = scenes
    store = open_store(scene.pair)
    masks, straight = read_masks(store, TILE), Window(0, 256, 256, 244)
    crop, still = read_crop(store, masks, straight, offset), read_crop(store, masks, straight)
    y, x = np.mgrid[:256, :244]
    from_y, from_x = y + offset.down_px, x + offset.right_px
    inside = (from_y >= 0) & (from_y < 256) & (from_x >= 0) & (from_x < 244)
    assert np.array_equal(crop.sar_weight[0] == 1, inside)
    assert np.array_equal(crop.sar[0][inside], still.sar[0][from_y[inside], from_x[inside]])
    assert np.array_equal(crop.optical, still.optical)
    blind = ~inside & (still.optical_weight[0] == 0)
    assert np.array_equal(crop.target, np.where(blind, 255, still.target))


def test_displaced_sar_keeps_its_nodata(scenes: list[Any]):
    (scene,) = scenes
    store = open_store(scene.pair)
    masks = read_masks(store, Window(0, 0, 256, 256))
    crop = read_crop(store, masks, Window(40, 4, 60, 80), SarOffset(0, 2))
    assert not crop.sar_weight[..., :10].any() and crop.sar_weight[..., 10:].all()  # nodata ends at column 16
    assert np.isfinite(crop.sar[..., 10:]).all()
    assert np.array_equal(crop.sar[..., 10:], scene.sar[:, 40:100, 16:86])


def test_a_tile_narrower_than_the_displacement_has_no_sar(scenes: list[Any]):
    (scene,) = scenes
    store = open_store(scene.pair)
    tile = Window(299, 40, 1, 20)
    for down in (-2, 2):
        crop = read_crop(store, read_masks(store, tile), tile, SarOffset(down, 0))
        assert crop.sar.shape == (1, 1, 20)
        assert not crop.sar_weight.any()


def test_pixels_without_a_sensor_have_no_target(scenes: list[Any]):
    (scene,) = scenes
    masks = read_masks(open_store(scene.pair), Window(0, 0, 256, 256))
    assert scene.label[20, 8] != 255
    assert np.all(masks.target[:32, :16] == 255)  # cloud above, no SAR
    assert np.array_equal(masks.target[32:, :16], scene.label[32:256, :16])


def test_padding_adds_pixels_with_weight_0():
    ones = np.ones((1, 2, 3), np.float32)
    crop = pad(Crop(ones, ones, ones, ones, np.zeros((2, 3), np.uint8), np.ones((2, 2, 3), np.bool_)), 4, 4)
    assert crop.optical.shape == crop.sar_weight.shape == (1, 4, 4)
    assert crop.optical_weight.sum() == crop.sar_weight.sum() == 6
    assert np.count_nonzero(crop.target == 255) == 10
    assert crop.misleading.shape == (2, 4, 4) and crop.misleading.sum() == 12
    assert crop.has_labels
    assert pad(crop, 4, 4) is crop
