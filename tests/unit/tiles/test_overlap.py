import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.geom import point

from clairemap.grid.window import Window
from clairemap.tiles.overlap import SharedGround, shared_ground

WHOLE = Window(0, 0, 100, 100)


def grid(x0: float, crs: str | None = "EPSG:32633", y0: float = 5_000_000, step: float = 10):
    return GeoBox((100, 100), Affine(step, 0, x0, 0, -step, y0), crs)


def shared(held_out: list[GeoBox], training: list[GeoBox]):
    held = {f"held {number}": box for number, box in enumerate(held_out)}
    learnt = {f"learnt {number}": box for number, box in enumerate(training)}
    return shared_ground(dict.fromkeys(held, [WHOLE]), dict.fromkeys(learnt, [WHOLE]), {**held, **learnt})


def share(held_out: list[GeoBox], training: list[GeoBox]):
    found = shared(held_out, training)
    return None if found is None else found.share


@pytest.mark.parametrize(
    ("shift_m", "step", "expected"),
    [(500, 10, 0), (1000, 10, 0), (1005, 10, 0), (3500, 10, 250), (3500, 20, 75), (400_000, 10, 39_900)],
)
def test_the_distance_is_in_pixels_of_the_held_out_scene(shift_m: float, step: float, expected: int):
    found = shared([grid(500_000, step=step)], [grid(500_000 + shift_m)])
    assert found is not None
    assert found.distance_px == pytest.approx(expected, abs=1, rel=2e-3)


def test_the_distance_is_that_of_the_nearest_scenes():
    found = shared([grid(500_000), grid(600_000)], [grid(520_000), grid(503_000)])
    assert found is not None and found.distance_px == pytest.approx(200, abs=1)


def test_scenes_on_other_continents_are_neither_near_nor_shared():
    found = shared([grid(500_000)], [grid(500_000, "EPSG:32603", 1_000_000)])
    assert found == SharedGround(0.0, None)


@pytest.mark.parametrize(("shift_m", "expected"), [(0, 1), (250, 0.75), (900, 0.1), (1000, 0), (400_000, 0)])
def test_the_share_is_that_of_the_ground(shift_m: float, expected: float):
    assert share([grid(500_000)], [grid(500_000 + shift_m)]) == pytest.approx(expected, abs=1e-4)


def test_ground_that_two_training_scenes_cover_counts_once():
    assert share([grid(500_000)], [grid(500_250), grid(500_250)]) == pytest.approx(0.75, abs=1e-4)


def test_all_held_out_ground_counts():
    assert share([grid(500_000), grid(600_000)], [grid(500_500)]) == pytest.approx(0.25, abs=1e-4)


def test_grids_of_different_crs_are_compared():
    lon, lat = point(500_500, 4_999_500, "EPSG:32633").to_crs("EPSG:4326").coords[0]
    other = GeoBox((100, 100), Affine(0.001, 0, lon, 0, -0.001, lat + 0.05), "EPSG:4326")  # starts in the middle
    assert share([grid(500_000)], [other]) == pytest.approx(0.5, abs=1e-2)


def test_scenes_on_both_sides_of_the_date_line_meet():
    east, west = (grid(x0, crs, 1_000_000, 100) for x0, crs in ((825_000, "EPSG:32660"), (170_000, "EPSG:32601")))
    found = share([east], [west])
    assert found is not None
    assert 0.4 < found < 0.6


def test_a_scene_is_not_compared_with_itself():
    tiles = {"a": [Window(0, 0, 50, 50)], "b": [WHOLE]}
    grids = {"a": grid(500_000), "b": grid(900_000)}
    found = shared_ground({"a": [Window(0, 0, 50, 50)]}, tiles, grids)
    assert found is not None and found.share == 0
    assert found.distance_px == pytest.approx(39_950, rel=2e-3)  # from the middle of a
    assert shared_ground({"a": [WHOLE]}, {"a": [WHOLE]}, grids) is None


def test_scenes_without_a_crs_are_not_compared():
    assert share([grid(500_000, None)], [grid(500_000)]) is None
    assert share([grid(500_000)], [grid(500_000, None)]) is None
    assert share([], []) is None


def degrees(west: float, north: float = -16.5, step: float = 1e-3):
    return GeoBox((100, 100), Affine(step, 0, west, 0, -step, north), "EPSG:4326")


@pytest.mark.parametrize(
    ("held_out", "training", "expected"),
    [
        (degrees(-180.05), degrees(179.95), 1),
        (degrees(190), degrees(-170), 1),
        (degrees(-170), degrees(190.05), 0.5),
        (degrees(179.95), degrees(-180.1), 0.5),
        (grid(20_037_008, "EPSG:3857"), grid(-20_037_908, "EPSG:3857"), 0.9),
        (grid(818_000, "EPSG:32760", 8_173_000), degrees(-180.1, -16.4, 0.002), 1),
        (grid(818_000, "EPSG:32760", 8_173_000), degrees(179.9, -16.4, 0.002), 1),
    ],
)
def test_shared_ground_does_not_depend_on_the_longitude_range(held_out: GeoBox, training: GeoBox, expected: float):
    found = shared([held_out], [training])
    assert found is not None
    assert found.share == pytest.approx(expected, abs=3e-3) and found.distance_px == 0


def test_ground_in_two_zones_at_180_degrees():
    lon, lat = 180.0, -16.5
    east, west = (point(lon, lat, "EPSG:4326").to_crs(crs).coords[0] for crs in ("EPSG:32760", "EPSG:32701"))
    first, second = (grid(x - 500, crs, y + 500) for (x, y), crs in ((east, "EPSG:32760"), (west, "EPSG:32701")))
    assert share([first], [second]) == pytest.approx(0.97, abs=0.02)


def test_ground_around_a_pole():
    polar = grid(-50_000, "EPSG:3413", 50_000, 1000)
    ring = GeoBox((100, 3600), Affine(0.1, 0, -180, 0, -0.1, 90), "EPSG:4326")
    tiles, half = {"ring": [Window(0, 0, 100, 3600)]}, {"ring": [Window(0, 0, 100, 1800)]}
    grids = {"polar": polar, "ring": ring}
    for training, expected in ((tiles, 1), (half, 0.5)):
        found = shared_ground({"polar": [WHOLE]}, training, grids)
        assert found is not None and found.share == pytest.approx(expected, abs=2e-3)
    other_way = shared_ground(tiles, {"polar": [WHOLE]}, grids)
    assert other_way is not None
    assert other_way.share == pytest.approx(100**2 * 1.031**2 / 3_874_000, rel=0.02)


def test_scenes_as_large_as_the_earth_are_compared():
    world = GeoBox((180, 360), Affine(1, 0, -180, 0, -1, 90), "EPSG:4326")
    grids = {"world": world, "fiji": grid(818_000, "EPSG:32760", 8_173_000), "asia": grid(500_000)}
    whole = {"world": [Window(0, 0, 180, 360)]}
    for name in ("fiji", "asia"):
        assert shared_ground({name: [WHOLE]}, whole, grids) == SharedGround(1.0, 0)
    found = shared_ground(whole, {"fiji": [WHOLE]}, grids)
    assert found is not None and found.share < 1e-4 and found.distance_px == 0
