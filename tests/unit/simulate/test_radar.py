import numpy as np
import pytest
from numpy.typing import NDArray

from clairemap.grid.window import Window
from clairemap.simulate.acquisition import Acquisition
from clairemap.simulate.landscape import GroundCover, survey
from clairemap.simulate.noise import Positions
from clairemap.simulate.radar import margin_px, simulated_backscatter, speckle


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


@pytest.mark.parametrize(("layover", "bright"), [(1, "west"), (-1, "east")])
def test_layover_brightens_edges_that_face_the_sensor_and_shadows_the_others(layover: int, bright: str):
    y, x = np.mgrid[0:300, 0:300] * 10.0
    at = Positions(x + 9000, y)
    ground = survey(at, 21)
    acquisition = Acquisition(layover=layover, incidence_deg=32.0)
    without = Acquisition(incidence_deg=32.0)
    ratio = (simulated_backscatter(ground, at, 21, acquisition) / simulated_backscatter(ground, at, 21, without))[0]
    forest = ground.cover == GroundCover.FOREST
    open_ground = np.isin(ground.cover, [GroundCover.GRASSLAND, GroundCover.CROPLAND])
    west = open_ground & np.roll(forest, -1, axis=1)  # forest begins east of the pixel
    east = open_ground & np.roll(forest, 1, axis=1)
    front, behind = (west, east) if bright == "west" else (east, west)
    inner = np.s_[8:-8, 8:-8]
    assert np.median(ratio[inner][front[inner]]) > 1.5
    assert np.median(ratio[inner][behind[inner]]) < 0.7


def test_the_margin_contains_everything_that_layover_moves():
    y, x = np.mgrid[0:120, 0:120] * 10.0
    at = Positions(x + 9000, y)
    acquisition = Acquisition(layover=1, incidence_deg=29.0, wet_share=0.3, season="autumn")
    margin = margin_px(acquisition)
    inner = np.s_[20 - margin : 70 + margin, 30 - margin : 80 + margin]
    part = Positions(at.x[inner], at.y[inner])
    whole = simulated_backscatter(survey(at, 21), at, 21, acquisition)[:, 20:70, 30:80]
    alone = simulated_backscatter(survey(part, 21), part, 21, acquisition)[:, margin:-margin, margin:-margin]
    assert np.allclose(whole, alone, rtol=1e-5)
