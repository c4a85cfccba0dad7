import numpy as np
import pytest

from clairemap.settings import DEMO_CLASSES
from clairemap.simulate.landscape import Ground, GroundCover, survey
from clairemap.simulate.noise import Positions


@pytest.fixture(scope="module")
def country() -> Ground:
    """26 km × 26 km at 80 m."""
    y, x = np.mgrid[0:330, 0:330] * 80.0
    return survey(Positions(x, y), 21)


def test_codes_match_the_default_legend():
    assert {c.name.upper(): c.code for c in DEMO_CLASSES} == {c.name: c.value for c in GroundCover}


@pytest.mark.parametrize(
    ("cover", "low", "high"),
    [
        (GroundCover.WATER, 3, 12),
        (GroundCover.FOREST, 18, 35),
        (GroundCover.GRASSLAND, 14, 28),
        (GroundCover.CROPLAND, 30, 48),
        (GroundCover.VILLAGE, 1, 5),
        (GroundCover.CITY, 1, 7),
        (GroundCover.ROAD, 1, 3),
    ],
)
def test_every_class_has_a_plausible_share(country: Ground, cover: GroundCover, low: float, high: float):
    assert low < 100 * np.mean(country.cover == cover) < high


def test_the_ground_does_not_depend_on_the_window():
    y, x = np.mgrid[0:96, 0:96] * 10.0
    whole = survey(Positions(x + 5000, y + 9000), 3)
    part = survey(Positions(x[40:60, 10:80] + 5000, y[40:60, 10:80] + 9000), 3)
    for name in Ground.__dataclass_fields__:
        assert np.array_equal(getattr(whole, name)[40:60, 10:80], getattr(part, name)), name


def test_shares_of_a_pixel_are_in_range(country: Ground):
    for share in (country.built, country.paved, country.margin):
        assert share.min() >= 0
        assert share.max() <= 1
    assert (country.built + country.paved).max() <= 1 + 1e-6


def test_houses_are_in_villages_and_towns_only(country: Ground):
    inhabited = np.isin(country.cover, [GroundCover.VILLAGE, GroundCover.CITY, GroundCover.ROAD])
    assert country.built[~inhabited].max() == 0
    assert (
        country.built[country.cover == GroundCover.CITY].mean()
        > country.built[country.cover == GroundCover.VILLAGE].mean()
        > 0
    )


def test_roads_are_paved_and_two_to_five_pixels_wide():
    y, x = np.mgrid[0:200, 0:400] * 10.0
    ground = survey(Positions(x, y), 21)
    road = ground.cover == GroundCover.ROAD
    assert ground.paved[road].min() >= 0.5
    across = np.diff(np.flatnonzero(np.diff(np.pad(road, ((0, 0), (1, 1))).astype(np.int8).ravel())))[::2]
    assert 2 <= np.median(across) <= 5
