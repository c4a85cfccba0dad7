import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.geom import point

from clairemap.grid.window import Window
from clairemap.tiles.overlap import overlapping_share

WHOLE = Window(0, 0, 100, 100)


def grid(x0: float, crs: str | None = "EPSG:32633", y0: float = 5_000_000, step: float = 10):
    return GeoBox((100, 100), Affine(step, 0, x0, 0, -step, y0), crs)


def share(held_out: list[GeoBox], training: list[GeoBox]):
    held = {f"held {number}": box for number, box in enumerate(held_out)}
    learnt = {f"learnt {number}": box for number, box in enumerate(training)}
    return overlapping_share(dict.fromkeys(held, [WHOLE]), dict.fromkeys(learnt, [WHOLE]), {**held, **learnt})


@pytest.mark.parametrize(("shift_m", "expected"), [(0, 1), (250, 0.75), (900, 0.1), (1000, 0), (400_000, 0)])
def test_the_share_is_that_of_the_ground(shift_m: float, expected: float):
    assert share([grid(500_000)], [grid(500_000 + shift_m)]) == pytest.approx(expected, abs=1e-4)


def test_ground_that_two_training_scenes_cover_counts_once():
    assert share([grid(500_000)], [grid(500_250), grid(500_250)]) == pytest.approx(0.75, abs=1e-4)


def test_all_held_out_ground_counts():
    assert share([grid(500_000), grid(600_000)], [grid(500_500)]) == pytest.approx(0.25, abs=1e-4)


def test_grids_of_different_crs_are_compared():
    lon, lat = point(500_500, 4_999_500, "EPSG:32633").to_crs("EPSG:4326").coords[0]
    other = GeoBox((100, 100), Affine(0.001, 0, lon, 0, -0.001, lat + 0.05), "EPSG:4326")  # begins in the middle
    assert share([grid(500_000)], [other]) == pytest.approx(0.5, abs=1e-2)


def test_scenes_on_both_sides_of_the_date_line_meet():
    east, west = (grid(x0, crs, 1_000_000, 100) for x0, crs in ((825_000, "EPSG:32660"), (170_000, "EPSG:32601")))
    found = share([east], [west])
    assert found is not None
    assert 0.4 < found < 0.6


def test_a_scene_is_not_compared_with_itself():
    tiles = {"a": [Window(0, 0, 50, 50)], "b": [WHOLE]}
    grids = {"a": grid(500_000), "b": grid(900_000)}
    assert overlapping_share({"a": [Window(0, 0, 50, 50)]}, tiles, grids) == 0
    assert overlapping_share({"a": [WHOLE]}, {"a": [WHOLE]}, grids) is None


def test_scenes_without_a_crs_are_not_compared():
    assert share([grid(500_000, None)], [grid(500_000)]) is None
    assert share([grid(500_000)], [grid(500_000, None)]) is None
    assert share([], []) is None
