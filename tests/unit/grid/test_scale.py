import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from clairemap.errors import GridError
from clairemap.grid.points import Size
from clairemap.grid.scale import (
    pixel_height_m,
    pixel_sides,
    pixel_size_m,
    pixel_width_m,
    plane_pixel_size,
    projected_pixel_side,
    up_deg,
)


def grid(crs: str | None, transform: Affine, size: int = 100) -> GeoBox:
    return GeoBox((size, size), transform, crs)


UTM = grid("EPSG:32633", Affine(10, 0, 500_000, 0, -20, 5_300_000))
DEGREES = grid("EPSG:4326", Affine(1e-4, 0, 12, 0, -1e-4, 60))


def test_pixel_sizes():
    assert pixel_size_m(UTM) == pytest.approx(200**0.5)
    assert pixel_size_m(grid("EPSG:2263", Affine(30, 0, 980_000, 0, -30, 200_000))) == pytest.approx(9.144, abs=1e-3)
    at_equator = grid("EPSG:4326", Affine(1e-4, 0, 10, 0, -1e-4, 1e-4), 2)
    assert pixel_size_m(at_equator) == pytest.approx(11.1, abs=0.05)
    assert pixel_size_m(grid(None, Affine.identity())) is None


def test_width_and_height_are_those_on_the_ground():
    assert (pixel_width_m(UTM), pixel_height_m(UTM)) == (10, 20)
    assert pixel_width_m(DEGREES) == pytest.approx(5.57, abs=0.02)
    assert pixel_height_m(DEGREES) == pytest.approx(11.14, abs=0.02)
    mercator = grid("EPSG:3857", Affine(20, 0, 1_700_000, 0, -20, 8_399_738))  # at 60 degrees
    assert pixel_width_m(mercator) == pytest.approx(10, abs=0.05)
    assert pixel_size_m(mercator) == pytest.approx(10, abs=0.05)


@pytest.mark.parametrize("west", [179.995, -180.005, 190])
def test_180_degrees_are_not_an_edge(west: float):
    assert pixel_width_m(grid("EPSG:4326", Affine(1e-4, 0, west, 0, -1e-4, 60))) == pytest.approx(5.57, abs=0.02)
    assert pixel_width_m(grid("EPSG:3832", Affine(10, 0, 3_339_085, 0, -10, 500))) == pytest.approx(10, rel=1e-3)


def test_a_pixel_on_the_pole_has_a_size():
    assert pixel_size_m(grid("EPSG:3413", Affine(1000, 0, -50_000, 0, -1000, 50_000))) == pytest.approx(1031, rel=2e-3)


def test_north_is_up_except_around_poles():
    assert np.abs(up_deg(UTM)).max() < 1
    assert up_deg(DEGREES) == pytest.approx(np.zeros(5))
    right_of_the_pole = grid("EPSG:3413", Affine(1000, 0, 1_000_000, 0, -1000, 50_000))
    assert up_deg(right_of_the_pole)[0] == pytest.approx(90, abs=1)
    with_the_pole = grid("EPSG:3413", Affine(1000, 0, -50_000, 0, -1000, 50_000))
    assert sorted(up_deg(with_the_pole)[1:].round()) == [-135, -45, 45, 135]


def test_sides_are_nan_where_the_crs_is_not_defined():
    half_of_the_earth = grid("+proj=ortho +lat_0=45 +lon_0=10 +ellps=sphere", Affine(1e5, 0, -7e6, 0, -1e5, 7e6), 140)
    for side in pixel_sides(half_of_the_earth, np.array([0.5, 70]), np.array([0.5, 70])):
        assert np.isnan(side[0]).all() and np.isfinite(side[1]).all()


def test_ground_sizes_need_a_crs():
    with pytest.raises(GridError, match=r"a grid of 20 x 30 px has no CRS; assign one"):
        pixel_width_m(GeoBox((20, 30), Affine.identity(), None))


def test_projected_sizes_are_in_units_of_the_crs():
    assert plane_pixel_size(UTM) == Size(height=20, width=10)
    turned = grid("EPSG:32633", Affine(6, 8, 500_000, 8, -6, 5_300_000))
    assert plane_pixel_size(turned) == Size(height=10, width=10)


def test_the_side_in_another_crs_has_the_pixels_area():
    assert projected_pixel_side(UTM, UTM.crs) == pytest.approx(200**0.5)
    mercator = grid("EPSG:3857", Affine(20, 0, 1_700_000, 0, -20, 8_399_738)).crs  # 1.5 times as long at 48 degrees
    assert projected_pixel_side(UTM, mercator) == pytest.approx(200**0.5 / 0.67, rel=0.01)
    across_180 = grid("EPSG:4326", Affine(1e-4, 0, 179.99495, 0, -1e-4, 0))
    assert projected_pixel_side(across_180, mercator) == pytest.approx(11.13, abs=0.01)
