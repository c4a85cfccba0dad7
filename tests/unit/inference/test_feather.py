from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from clairemap.grid.window import Window
from clairemap.inference.feather import MIN_WEIGHT, RAMP_PX, Feather
from clairemap.raster.store import GridStore

FeatherOf = Callable[[NDArray[np.uint8]], Feather]


@pytest.fixture
def feather_of(make_probabilities: Callable[..., GridStore], grid_at: Callable[..., GeoBox]):
    def make(share: NDArray[np.uint8]):
        return Feather.of(make_probabilities(grid_at(share.shape), np.zeros((2, *share.shape), np.uint8), share))

    return make


def weights(feather: Feather, shape: tuple[int, int]):
    return feather.weights_within(Window.whole(shape))


def test_weight_grows_linearly_from_the_edge(feather_of: FeatherOf):
    shape = (512, 640)
    found = weights(feather_of(np.zeros(shape, np.uint8)), shape)
    y, x = np.indices(shape) + 0.5
    distance = np.minimum.reduce([y, x, shape[0] - y, shape[1] - x])
    exact = np.clip(distance / RAMP_PX, MIN_WEIGHT, 1)
    assert np.abs(found - exact).max() < 0.05  # the corners of cells round off a little
    assert found[256].max() == 1 and found[:, 0].max() < 0.02


def test_weight_falls_towards_nodata_inside_the_scene(feather_of: FeatherOf):
    share = np.full((256, 512), 255, np.uint8)
    share[:, :300] = 40
    found = weights(feather_of(share), share.shape)
    assert (found[:, 310:] == np.float32(MIN_WEIGHT)).all()
    assert found[128, 296] == pytest.approx(0.05, abs=0.06)
    assert found[128, 200] == pytest.approx(100 / RAMP_PX, abs=0.06)


def test_single_invalid_pixels_have_no_effect(feather_of: FeatherOf):
    share = np.zeros((256, 256), np.uint8)
    share[::9, ::9] = 255
    assert weights(feather_of(share), share.shape)[128, 128] > 0.9


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (17, 16)])
def test_small_scenes_have_weights_above_zero(feather_of: FeatherOf, shape: tuple[int, int]):
    found = weights(feather_of(np.zeros(shape, np.uint8)), shape)
    assert found.shape == shape and (found > 0).all() and (found <= 1).all()


@pytest.mark.parametrize("window", [Window(0, 0, 200, 333), Window(7, 250, 31, 83), Window(199, 0, 1, 1)])
def test_window_weights_equal_pointwise_weights(feather_of: FeatherOf, window: Window):
    share = np.zeros((200, 333), np.uint8)
    share[60:90, 100:150] = 255
    feather = feather_of(share)
    y, x = np.indices(window.shape) + 0.5
    assert np.allclose(feather.weights_within(window), feather.weights(y + window.y0, x + window.x0), rtol=0, atol=1e-6)
