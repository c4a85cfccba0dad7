from itertools import product

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from clairemap.grid.window import Window
from clairemap.report.map_frame import MapFrame
from clairemap.report.pixel_geometry import QuarterTurn

GRID = GeoBox((30, 50), Affine(10, 0, 700_000, 0, -10, 5_300_000), "EPSG:32632")


@pytest.mark.parametrize(("mirrored", "quarters"), list(product((False, True), range(4))))
def test_pixels_are_where_the_turned_picture_has_them(mirrored: bool, quarters: int):
    frame = MapFrame(GRID, QuarterTurn(mirrored, quarters), None)
    picture = frame.turn.picture(np.arange(30 * 50).reshape(30, 50))
    for row, column in ((0, 0), (7, 31), (29, 49)):
        left, top, right, bottom = frame.box(Window(row, column, 1, 1))
        assert (right - left, bottom - top) == (1, 1)
        assert picture[int(top), int(left)] == 50 * row + column


def test_display_coordinates_become_those_of_the_crs():
    frame = MapFrame(GRID, QuarterTurn(False, 1), None)
    a, b, c, d, e, f = frame.to_world
    left, top, _, _ = frame.box(Window(3, 7, 1, 1))
    x, y = a * (left + 0.5) + b * (top + 0.5) + c, d * (left + 0.5) + e * (top + 0.5) + f
    assert (x, y) == pytest.approx((700_075, 5_299_965))


def test_ground_size_follows_the_latitude():
    grid = GeoBox((600, 100), Affine(0.1, 0, 10, 0, -0.1, 60), "EPSG:4326")
    frame = MapFrame.of(grid)
    metres = [row[0] for row in frame.ground_m()]
    assert all(each is not None for each in metres)
    assert metres[-1] / metres[0] == pytest.approx(np.cos(np.radians(6)) / np.cos(np.radians(54)), rel=0.01)  # type: ignore[operator]


def test_without_a_crs_nothing_is_known_of_the_ground():
    frame = MapFrame.of(GeoBox((30, 50), Affine.identity(), None))
    assert frame.crs_text == "" and frame.ground_m()[2][2] is None
    assert frame.box(Window(0, 0, 30, 50)) == (0, 0, 50, 30)


def test_scenes_are_placed_on_the_map():
    frame = MapFrame.of(GRID)
    scene = GeoBox((5, 10), Affine(20, 0, 700_100, 0, -20, 5_299_900), "EPSG:32632")
    outline = frame.outline(scene)
    assert outline[0] == [10, 10] and [30, 20] in outline and [10, 20] in outline
