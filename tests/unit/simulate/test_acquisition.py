import numpy as np
import pytest

from clairemap.simulate.acquisition import LARGEST_SHIFT_PX, Acquisition, incidence_gain, wet_gain, wetness
from clairemap.simulate.landscape import Ground, GroundCover, survey
from clairemap.simulate.noise import Positions


@pytest.fixture(scope="module")
def at() -> Positions:
    y, x = np.mgrid[0:240, 0:240] * 80.0
    return Positions(x, y)


@pytest.fixture(scope="module")
def ground(at: Positions) -> Ground:
    return survey(at, 21)


def test_acquisitions_differ_and_follow_from_the_seed():
    drawn = [Acquisition.drawn(seed) for seed in range(1, 41)]
    assert drawn[0] == Acquisition.drawn(1) and len(set(drawn)) == len(drawn)
    assert len({each.season for each in drawn[:4]}) == 4
    assert {each.sar_stretch for each in drawn} == {each.optical_stretch for each in drawn} == {"scene", "block"}
    shifts = [each.misregistered_px for each in drawn]
    assert min(shifts) < 0.5 and 6 < max(shifts) <= LARGEST_SHIFT_PX


@pytest.mark.parametrize("share", [0.05, 0.2, 0.4])
def test_wet_soil_covers_about_the_requested_share_of_fields_and_meadows(ground: Ground, at: Positions, share: float):
    wet = wetness(ground, at, share, 21)
    fields = np.isin(ground.cover, [GroundCover.CROPLAND, GroundCover.GRASSLAND])
    assert wet[fields].mean() == pytest.approx(share, abs=0.02)
    assert wet[~fields].max() == 0


def test_wet_soil_is_brighter_or_darker_in_sar_by_parcel(ground: Ground, at: Positions):
    wet = wetness(ground, at, 0.3, 21)
    gain = wet_gain(ground, wet)
    assert np.all(gain[wet == 0] == 1)
    soaked = gain[wet == 1]
    assert 0.25 < (soaked < 1).mean() < 0.55
    assert set(np.round(10 * np.log10(np.unique(soaked)), 2)) == {-5.0, 2.5}


def test_water_darkens_most_with_the_incidence_angle(ground: Ground):
    gain = 10 * np.log10(incidence_gain(ground, 44.0))
    of = {cover: gain[ground.cover == cover][0] for cover in GroundCover}
    assert of[GroundCover.WATER] == pytest.approx(-3)
    assert min(of, key=lambda cover: of[cover]) == GroundCover.WATER
    assert all(-3.001 < value < 0 for value in of.values())
