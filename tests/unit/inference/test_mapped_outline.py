from collections.abc import Callable

import numpy as np
import pytest
import shapely
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from clairemap.classes import SHARE_NODATA
from clairemap.inference.mapped_outline import mapped_hull, mapped_outline
from clairemap.raster.store import GridStore

Make = Callable[..., GridStore]
GridAt = Callable[..., GeoBox]
SHAPE = (300, 280)


@pytest.fixture
def make(make_probabilities: Make, grid_at: GridAt):
    def store(valid: np.ndarray, x: float = 500_000) -> GridStore:
        share = np.where(valid, 50, SHARE_NODATA).astype(np.uint8)
        return make_probabilities(grid_at(SHAPE, x), np.full((3, *SHAPE), 85, np.uint8), share)

    return store


def test_outline_of_a_full_scene(make: Make):
    assert mapped_hull(make(np.ones(SHAPE, np.bool_))).equals(shapely.box(0, 0, 280, 300))


def test_hull_is_that_of_all_valid_pixel_corners(make: Make):
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    valid = (np.abs(y - 150.0) + np.abs(x - 120.0) < 90) & (y % 7 != 0)
    hull = mapped_hull(make(valid))
    cells = [shapely.box(column, row, column + 1, row + 1) for row, column in np.argwhere(valid)]
    assert hull.equals(shapely.unary_union(cells).convex_hull)


def test_a_single_pixel_is_a_square(make: Make):
    valid = np.zeros(SHAPE, np.bool_)
    valid[299, 279] = True
    assert mapped_hull(make(valid)).equals(shapely.box(279, 299, 280, 300))


def test_no_outline_without_valid_pixels(make: Make):
    assert mapped_hull(make(np.zeros(SHAPE, np.bool_))) is None
    assert mapped_outline([make(np.zeros(SHAPE, np.bool_))]) is None


def test_outline_of_several_scenes(make: Make):
    left = np.zeros(SHAPE, np.bool_)
    left[:, :20] = True
    outline = mapped_outline([make(left), make(left, 600_000), make(np.zeros(SHAPE, np.bool_), 700_000)])
    ground = shapely.geometry.shape(outline.geometry)
    assert len(ground.geoms) == 2
    to_utm = Transformer.from_crs("EPSG:4326", "EPSG:32633", always_xy=True)
    planar = shapely.transform(ground, lambda points: np.stack(to_utm.transform(*points.T), axis=1))
    assert planar.area == pytest.approx(2 * 20 * 300 * 100, rel=1e-4)
