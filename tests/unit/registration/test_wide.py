from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from clairemap.grid.points import Point
from clairemap.registration.match import Pair
from clairemap.registration.model import Displacement
from clairemap.registration.wide import Similarity, find_similarity

GRID = GeoBox((256, 320), Affine.identity(), None)


def apart_px(found: Similarity, truth: Displacement) -> float:
    return float(np.hypot(*(found.displacement.over(GRID.shape) - truth.over(GRID.shape)).T).max())


@pytest.mark.parametrize(
    ("rotation_deg", "scale", "shift"),
    [(40.0, 0.8, (6.0, -9.0)), (-130.0, 1.3, (0.0, 0.0)), (177.0, 1.0, (-20.0, 15.0))],
)
@pytest.mark.usefixtures("fewer_steps")
def test_any_rotation_and_scale_are_found(
    pair_of: Callable[..., Pair],
    made_rasters: ModuleType,
    rotation_deg: float,
    scale: float,
    shift: tuple[float, float],
) -> None:
    truth = made_rasters.similarity(rotation_deg, scale, GRID, shift)
    fields = made_rasters.Fields(GRID)
    found = find_similarity(pair_of(fields.optical(), fields.sar(GRID, truth)))
    assert found is not None
    assert (found.rotation_deg - rotation_deg + 180) % 360 - 180 == pytest.approx(0, abs=2.5)
    assert found.scale == pytest.approx(scale, rel=0.04)
    assert apart_px(found, truth) < 6


@pytest.mark.usefixtures("fewer_steps")
def test_the_scene_is_found_in_larger_sar(pair_of: Callable[..., Pair], made_rasters: ModuleType) -> None:
    larger = GeoBox((500, 400), Affine.identity(), None)
    truth = made_rasters.similarity(-25.0, 1.1, GRID, (90.0, 40.0))
    fields = made_rasters.Fields(GRID)
    found = find_similarity(pair_of(fields.optical(), fields.sar(larger, truth)))
    assert found is not None and apart_px(found, truth) < 6


def test_constant_or_empty_images_have_no_similarity(pair_of: Callable[..., Pair], made_rasters: ModuleType) -> None:
    fields = made_rasters.Fields(GRID)
    optical, sar = fields.optical(), fields.sar(GRID)
    assert find_similarity(pair_of(np.full_like(optical, 900), sar)) is None
    assert find_similarity(pair_of(optical, np.full_like(sar, 0.05))) is None
    assert find_similarity(pair_of(np.zeros_like(optical), np.full_like(sar, np.nan))) is None


def test_a_similarity_moves_places_as_documented() -> None:
    found = Similarity(90.0, 2.0, Point(10.0, 20.0), Point(13.0, 18.0), 5.0)
    displaced = found.displacement.at_places(np.array([[10.0, 20.0], [11.0, 20.0], [10.0, 21.0]]))
    turned = np.array([[13.0, 18.0], [13.0, 20.0], [11.0, 18.0]])
    assert displaced + [[10.0, 20.0], [11.0, 20.0], [10.0, 21.0]] == pytest.approx(turned)
