import numpy as np
import pytest

from clairemap.grid.window import Window
from clairemap.simulate.acquisition import Acquisition
from clairemap.simulate.landscape import GroundCover, survey
from clairemap.simulate.noise import Positions
from clairemap.simulate.optics import CLEAR, CLOUD, SHADOW, Sky, cloud_mask, cloud_opacity, digital_numbers, reflectance


@pytest.fixture(scope="module")
def at() -> Positions:
    y, x = np.mgrid[0:200, 0:200] * 40.0
    return Positions(x, -y)


@pytest.mark.parametrize("share", [0.05, 0.4])
def test_clouds_cover_about_the_requested_share(at: Positions, share: float):
    sky = Sky.with_clouds(share, at, 5)
    assert np.mean(cloud_opacity(at, sky) > 0.3) == pytest.approx(share, abs=0.03)


def test_clouds_are_bright_and_shadows_dark(at: Positions):
    sky = Sky.with_clouds(0.15, at, 5)
    ground = survey(at, 21)
    values = reflectance(ground, at, sky, 21)
    mask = cloud_mask(at, sky)
    forest = ground.cover == GroundCover.FOREST
    nir = {code: np.median(values[3][forest & (mask == code)]) for code in (CLEAR, CLOUD, SHADOW)}
    assert nir[SHADOW] < 0.8 * nir[CLEAR] < 0.8 * nir[CLOUD]


def test_the_mask_finds_thick_cloud_but_its_edges_are_not_perfect(at: Positions):
    sky = Sky.with_clouds(0.2, at, 5)
    opacity, cloud = cloud_opacity(at, sky), cloud_mask(at, sky) == CLOUD
    assert np.mean(cloud[opacity > 0.95]) > 0.98
    assert np.mean(cloud[opacity == 0]) < 0.03
    assert not np.array_equal(cloud, opacity > 0.18)


def test_vegetation_is_bright_in_the_near_infrared_and_water_is_not(at: Positions):
    ground = survey(at, 21)
    red, _, _, nir = reflectance(ground, at, Sky.with_clouds(0.0, at, 5), 21)
    index = (nir - red) / (nir + red)
    assert np.median(index[ground.cover == GroundCover.FOREST]) > 0.5
    assert np.median(index[ground.cover == GroundCover.WATER]) < 0


def test_digital_numbers_are_never_nodata_and_do_not_depend_on_the_window():
    values = np.full((4, 20, 30), 0.0, np.float32)
    whole = digital_numbers(values, Window(100, 50, 20, 30), 3)
    part = digital_numbers(values[:, :5, :7], Window(110, 60, 5, 7), 3)
    assert whole.dtype == np.uint16
    assert whole.min() >= 1
    assert np.array_equal(whole[:, 10:15, 10:17], part)
    assert len(np.unique(whole)) > 5


def test_thin_clouds_brighten_the_ground_but_are_not_in_the_mask(at: Positions):
    ground = survey(at, 21)
    clear = Sky.with_clouds(0.1, at, 5)
    thin = Sky.with_clouds(0.1, at, 5, Acquisition(thin_cloud=0.25))
    before, after = (reflectance(ground, at, sky, 21)[0] for sky in (clear, thin))
    assert 0.15 < np.mean(after > before + 0.01) < 0.35
    assert np.array_equal(cloud_mask(at, clear), cloud_mask(at, thin))


def test_haze_lifts_blue_most_and_wet_soil_is_dark(at: Positions):
    ground = survey(at, 21)
    clear, hazy = (Sky.with_clouds(0.0, at, 5, Acquisition(haze=haze)) for haze in (0.0, 2.0))
    rise = (reflectance(ground, at, hazy, 21) - reflectance(ground, at, clear, 21)).mean((1, 2))
    assert rise[2] > rise[1] > rise[0] > 0.02
    wet = reflectance(ground, at, clear, 21, Acquisition(wet_share=0.3))
    dry = reflectance(ground, at, clear, 21)
    fields = np.isin(ground.cover, [GroundCover.CROPLAND, GroundCover.GRASSLAND])
    assert 0.8 < wet[3][fields].mean() / dry[3][fields].mean() < 0.92
    forest = ground.cover == GroundCover.FOREST
    assert wet[:, forest].mean() == pytest.approx(dry[:, forest].mean(), rel=0.01)
