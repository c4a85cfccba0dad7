import numpy as np
import pytest
from numpy.typing import NDArray

from clairemap.grid.window import Window
from clairemap.simulate.landscape import GroundCover, survey
from clairemap.simulate.noise import Positions
from clairemap.simulate.radar import simulated_backscatter, speckle


@pytest.fixture(scope="module")
def field() -> np.ndarray:
    return speckle(Window(0, 0, 300, 300), 2, 7)


def test_speckle_has_mean_one_and_about_four_looks(field: NDArray[np.float32]):
    assert field.mean(axis=(1, 2)) == pytest.approx([1, 1], abs=0.01)
    looks = field.mean(axis=(1, 2)) ** 2 / field.var(axis=(1, 2))
    assert np.all((looks > 3.4) & (looks < 4.6))


def test_neighbours_are_slightly_correlated_and_bands_are_not(field: NDArray[np.float32]):
    one = field[0]
    assert 0.1 < np.corrcoef(one[:, 1:].ravel(), one[:, :-1].ravel())[0, 1] < 0.3
    assert abs(np.corrcoef(one[:, 3:].ravel(), one[:, :-3].ravel())[0, 1]) < 0.03
    assert abs(np.corrcoef(one.ravel(), field[1].ravel())[0, 1]) < 0.03


def test_speckle_does_not_depend_on_the_window(field: NDArray[np.float32]):
    assert np.array_equal(speckle(Window(40, 77, 9, 5), 2, 7), field[:, 40:49, 77:82])


def test_backscatter_of_the_classes_is_in_realistic_order():
    y, x = np.mgrid[0:160, 0:160] * 80.0
    at = Positions(x, y)
    ground = survey(at, 21)
    vv_db, vh_db = 10 * np.log10(simulated_backscatter(ground, at, 21))
    median_db = {cover: np.median(vv_db[ground.cover == cover]) for cover in GroundCover}
    order = [GroundCover.WATER, GroundCover.GRASSLAND, GroundCover.CROPLAND, GroundCover.FOREST, GroundCover.CITY]
    assert sorted(order, key=lambda cover: median_db[cover]) == order
    assert np.all(np.median(vh_db) < np.median(vv_db))


def test_some_houses_are_bright():
    y, x = np.mgrid[0:160, 0:160] * 20.0
    town = Positions(x + 2_500, y + 500)
    ground = survey(town, 21)
    vv = simulated_backscatter(ground, town, 21)[0]
    inhabited = np.isin(ground.cover, [GroundCover.VILLAGE, GroundCover.CITY])
    assert inhabited.any()
    assert np.percentile(vv[inhabited], 99) > 5 * np.median(vv[inhabited])
