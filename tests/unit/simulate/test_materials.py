import numpy as np
import pytest
from numpy.typing import NDArray

from clairemap.simulate.landscape import Ground, GroundCover, survey
from clairemap.simulate.materials import BACKSCATTER, MATERIALS, REFLECTANCE, blended, surface
from clairemap.simulate.noise import Positions


@pytest.fixture(scope="module")
def ground():
    y, x = np.mgrid[0:200, 0:200] * 60.0
    return survey(Positions(x, y), 21)


def test_each_class_has_its_materials(ground: Ground):
    names = np.array(list(MATERIALS))[surface(ground).soil]
    assert set(names[ground.cover == GroundCover.FOREST]) == {"conifers", "broadleaves"}
    assert set(names[ground.cover == GroundCover.WATER]) == {"clear water"}
    crops = {"cereals", "rape in bloom", "young maize", "light soil", "dark soil"}
    assert set(names[ground.cover == GroundCover.CROPLAND]) == crops


def test_a_field_has_one_material(ground: Ground):
    soil = surface(ground).soil
    crop = ground.cover == GroundCover.CROPLAND
    pairs = np.unique(np.stack([ground.parcel[crop], soil[crop]]), axis=1)
    assert pairs.shape[1] == np.unique(ground.parcel[crop]).size


@pytest.mark.parametrize(
    ("one", "other", "table"),
    [
        ("cereals", "meadow", REFLECTANCE),
        ("light soil", "meadow", BACKSCATTER),
        ("rape in bloom", "broadleaves", BACKSCATTER),
    ],
)
def test_each_sensor_confuses_classes_that_the_other_separates(one: str, other: str, table: NDArray[np.float32]):
    names = list(MATERIALS)
    foreign = BACKSCATTER if table is REFLECTANCE else REFLECTANCE

    def contrast(values: NDArray[np.float32]) -> float:
        return np.abs(np.log(values[names.index(one)] / values[names.index(other)])).max()

    assert contrast(table) < 0.25
    assert contrast(foreign) > 2.5 * contrast(table)


def test_blending_stays_in_the_range_of_the_materials(ground: Ground):
    values = blended(REFLECTANCE, ground, surface(ground), np.ones(ground.cover.shape, np.float32))
    assert values.shape == (4, 200, 200)
    assert values.min() >= REFLECTANCE.min() - 1e-6
    assert values.max() <= REFLECTANCE.max() + 1e-6
