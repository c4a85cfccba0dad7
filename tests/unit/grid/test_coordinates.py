"""Conversion between pixels and coordinates of a CRS."""

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from clairemap.grid.coordinates import mesh_grid, pixel_to_world, world_to_pixel

SKEWED = GeoBox((40, 60), Affine(10, 2, 500_000, -1, -12, 5_300_000), "EPSG:32633")


def test_rows_come_first_in_pixels_and_x_in_the_crs():
    x, y = pixel_to_world(SKEWED, np.array([1.0, 0]), np.array([0.0, 1]))
    assert x.tolist() == [500_002, 500_010] and y.tolist() == [5_299_988, 5_299_999]


def test_conversion_to_coordinates_and_back():
    y, x = mesh_grid(np.linspace(-5, 45, 7), np.linspace(0, 60, 5))
    assert y.shape == x.shape == (7, 5) and (y[:, 0] == y[:, 4]).all()
    back = world_to_pixel(SKEWED, *pixel_to_world(SKEWED, y, x))
    assert np.allclose(back, (y, x), atol=1e-6)
