import math

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pydantic import ValidationError

from clairemap.errors import GridError
from clairemap.grid.window import Window
from clairemap.inference.grid import footprint, pixel_offset, reached_window, region_grid
from clairemap.settings import MosaicSettings

UTM33, UTM34 = "EPSG:32633", "EPSG:32634"
DEFAULT = MosaicSettings()


def scene(shape: tuple[int, int], x: float, y: float, size: float = 10.0, crs: str = UTM33):
    return GeoBox(shape, Affine(size, 0, x, 0, -size, y), crs)


def test_one_scene_keeps_its_grid():
    own = scene((30, 20), 500_003.5, 4_999_991.25)
    assert region_grid({"a": own}, DEFAULT) == own


@settings(max_examples=40)
@given(
    places=st.lists(
        st.tuples(*[st.integers(-500, 500)] * 2, *[st.integers(1, 300)] * 2),
        min_size=1,
        max_size=4,
    ),
    shift=st.tuples(st.floats(0, 10), st.floats(0, 10)),
)
def test_scenes_on_one_grid_are_not_resampled_and_all_inside(
    places: list[tuple[int, int, int, int]], shift: tuple[float, float]
):
    scenes = {
        f"s{i}": scene((h, w), 500_000 + shift[0] + 10 * x, 5_000_000 + shift[1] + 10 * y)
        for i, (x, y, h, w) in enumerate(places)
    }
    grid = region_grid(scenes, DEFAULT)
    spans = []
    for own in scenes.values():
        row, column = pixel_offset(own, grid)
        spans.append(Window(row, column, *own.shape))
        assert footprint(own, grid) == spans[-1]
        assert spans[-1].clipped(grid.shape) == spans[-1]
    assert (min(s.y0 for s in spans), min(s.x0 for s in spans)) == (0, 0)
    assert (max(s.y1 for s in spans), max(s.x1 for s in spans)) == grid.shape


def test_scenes_that_differ_in_the_last_digits_count_as_aligned():
    one = GeoBox((500, 500), Affine(8.983e-5, 0, -7.5, 0, -8.983e-5, 38.2), "EPSG:4326")
    two = GeoBox((500, 500), Affine(8.983000001e-5, 0, -7.5 + 1e-9, 0, -8.983e-5, 38.2), "EPSG:4326")
    grid = region_grid({"a": one, "b": two}, DEFAULT)
    assert grid == one and pixel_offset(two, grid) == (0, 0)


def test_crs_of_most_pixels_and_finest_resolution_in_it():
    scenes = {
        "a": scene((100, 100), 500_000, 5_000_000, 20),
        "b": scene((50, 50), 500_007, 5_000_003, 10),
        "c": scene((70, 70), 30_000, 5_000_000, 5, UTM34),
    }
    grid = region_grid(scenes, DEFAULT)
    assert str(grid.crs) == UTM33
    assert (grid.transform.a, grid.transform.e) == (10, -10)
    assert pixel_offset(scenes["b"], grid) is not None and pixel_offset(scenes["a"], grid) is None


def test_ties_go_to_the_first_scene():
    scenes = {"a": scene((9, 9), 30_000, 5_000_000, crs=UTM34), "b": scene((9, 9), 500_000, 5_000_000)}
    assert str(region_grid(scenes, DEFAULT).crs) == UTM34


def test_settings_take_precedence_and_edges_are_multiples_of_the_resolution():
    grid = region_grid({"a": scene((100, 90), 500_003, 5_000_001)}, MosaicSettings(crs=UTM34, resolution=25))
    assert str(grid.crs) == UTM34
    assert (grid.transform.a, grid.transform.e) == (25, -25)
    assert grid.transform.c % 25 == 0 and grid.transform.f % 25 == 0


def test_resolution_in_another_crs_is_that_of_the_scene():
    own = scene((100, 90), 500_000, 5_000_000)
    metres = region_grid({"a": own}, MosaicSettings(crs=UTM34)).transform.a
    assert metres == pytest.approx(10, rel=0.01)
    degrees = region_grid({"a": own}, MosaicSettings(crs="EPSG:4326")).transform.a
    assert degrees == pytest.approx(10 / 111_200 / math.sqrt(math.cos(math.radians(45.15))), rel=0.01)


def test_projected_scene_is_inside_to_the_last_pixel():
    own = scene((400, 300), 700_000, 5_000_000)
    grid = region_grid({"a": own}, MosaicSettings(crs=UTM34))
    inside = footprint(own, grid)
    assert inside == Window(0, 0, *grid.shape)


def test_rotated_scene_gets_a_north_up_grid():
    cosine, sine = 10 * math.cos(math.pi / 6), 10 * math.sin(math.pi / 6)
    own = GeoBox((40, 60), Affine(cosine, sine, 500_000, sine, -cosine, 5_000_000), UTM33)
    grid = region_grid({"a": own}, DEFAULT)
    assert grid.transform.b == grid.transform.d == 0
    assert grid.transform.a == pytest.approx(10)
    assert pixel_offset(own, grid) is None


def test_scene_without_crs_keeps_its_pixel_grid():
    own = GeoBox((7, 9), Affine.identity(), None)
    assert region_grid({"a": own}, DEFAULT) == own
    assert pixel_offset(own, own) == (0, 0) and footprint(own, own) == Window(0, 0, 7, 9)


@pytest.mark.parametrize("other", [None, UTM33])
def test_several_scenes_without_crs_are_an_error(other: str | None):
    scenes = {"bare": scene((9, 9), 0, 0, crs=None), "b": scene((9, 9), 0, 0, crs=other)}
    with pytest.raises(GridError, match=r"bare.*mosaic\.grid: scene"):
        region_grid(scenes, DEFAULT)


def test_scene_without_crs_with_mosaic_crs_is_an_error():
    with pytest.raises(GridError, match="no CRS"):
        region_grid({"a": scene((9, 9), 0, 0, crs=None)}, MosaicSettings(crs=UTM33))


def test_invalid_settings_are_grid_errors():
    own = {"a": scene((9, 9), 500_000, 5_000_000)}
    with pytest.raises(ValidationError, match=r"'EPSG:nonsense' is not a valid CRS"):
        MosaicSettings(crs="EPSG:nonsense")
    with pytest.raises(GridError, match="would have"):
        region_grid(own, MosaicSettings(resolution=1e-6))
    with pytest.raises(GridError, match="cannot be projected"):
        region_grid(own, MosaicSettings(crs="+proj=gnom +lat_0=-90 +lon_0=0"))


def test_offset_is_none_for_half_pixels_and_other_sizes():
    grid = scene((9, 9), 500_000, 5_000_000)
    assert pixel_offset(scene((9, 9), 500_005, 5_000_000), grid) is None
    assert pixel_offset(scene((9, 9), 500_000, 5_000_000, 10.1), grid) is None
    assert pixel_offset(scene((9, 9), 500_020, 5_000_030), grid) == (-3, 2)
    assert not np.isnan(grid.transform.a)


def degrees(west: float, step: float = 0.01, shape: tuple[int, int] = (256, 256), north: float = -16.5):
    return GeoBox(shape, Affine(step, 0, west, 0, -step, north), "EPSG:4326")


@pytest.mark.parametrize("step", [0.01, 0.00014])
@pytest.mark.parametrize("turned", [False, True])
def test_scenes_on_both_sides_of_180_degrees_are_side_by_side(step: float, turned: bool):
    scenes = {"w": degrees(180 - 256 * step, step), "e": degrees(-180, step)}
    if turned:
        scenes = dict(reversed(scenes.items()))
    grid = region_grid(scenes, MosaicSettings())
    assert grid.shape[0] == 256 and grid.shape[1] in ((512,) if step == 0.01 else (512, 513))
    first = next(iter(scenes.values()))
    assert pixel_offset(first, grid) == (0, 256 if turned else 0)
    covered = sorted(footprint(scene, grid).x0 for scene in scenes.values())
    assert covered[0] == 0 and covered[1] in (255, 256)


def test_equal_extents_with_longitudes_of_both_sides_coincide():
    scenes = {"a": degrees(-180.0128, 1e-4), "b": degrees(179.9872, 1e-4)}
    grid = region_grid(scenes, MosaicSettings())
    assert grid.shape == (256, 256)
    assert [pixel_offset(scene, grid) for scene in scenes.values()] == [(0, 0), (0, 0)]
    assert [footprint(scene, grid) for scene in scenes.values()] == [Window(0, 0, 256, 256)] * 2


def test_longitudes_up_to_360_and_up_to_180_are_merged():
    scenes = {"a": degrees(190), "b": degrees(-167.44), "c": degrees(-172.56)}
    grid = region_grid(scenes, MosaicSettings())
    assert grid.shape == (256, 3 * 256)
    assert grid.transform.c == pytest.approx(187.44)
    assert [pixel_offset(scene, grid) for scene in scenes.values()] == [(0, 256), (0, 512), (0, 0)]
    assert [footprint(scene, grid).x0 for scene in scenes.values()] == [256, 512, 0]


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857", "EPSG:3832"])
def test_scenes_of_both_zones_at_180_degrees_in_a_crs_that_has_both(crs: str):
    scenes = {
        "u60": scene((256, 256), 818_000, 8_173_000, crs="EPSG:32760"),
        "u01": scene((256, 256), 179_500, 8_173_000, crs="EPSG:32701"),
    }
    grid = region_grid(scenes, MosaicSettings(crs=crs))
    assert 400 < grid.shape[1] < 700 and 200 < grid.shape[0] < 350
    for box in scenes.values():
        own = footprint(box, grid)
        assert own.intersection(Window.whole(grid.shape)) == own


def test_scenes_around_the_earth_span_one_circle():
    scenes = {str(west): degrees(west, 1, (60, 62), 30) for west in range(-180, 180, 60)}
    grid = region_grid(scenes, MosaicSettings())
    assert grid.shape == (60, 362)
    whole = Window.whole(grid.shape)
    for box in scenes.values():
        assert footprint(box, grid).intersection(whole) == footprint(box, grid)


def test_scene_around_a_pole_extends_to_it_in_degrees():
    polar = GeoBox((512, 512), Affine(1000, 0, -256_000, 0, -1000, 256_000), "EPSG:3413")
    grid = region_grid({"a": polar}, MosaicSettings(crs="EPSG:4326", resolution=0.05))
    assert grid.shape[1] == 7200
    assert grid.transform.f == pytest.approx(90)


@pytest.mark.parametrize(
    ("crs", "resolution", "expected"),
    [
        ("EPSG:4326", 10, r"10 degree in EPSG:4326.* 1 x 1 px.* scene a has pixels of 0\.000\d+ degree; set it"),
        (None, 0.0001, r"0\.0001 metre in EPSG:32633.*near 10 \(0\.1 to 1000\), or to null"),
        (None, 5000, "5000 metre in EPSG:32633"),
        (None, 900, "900 metre"),  # 3 x 3 px
        ("EPSG:2263", 1e-4, "US survey foot"),
    ],
)
def test_resolution_in_the_wrong_unit_is_an_error(crs: str | None, resolution: float, expected: str):
    x, y = (500_000, 5_000_000) if crs != "EPSG:2263" else (590_000, 4_500_000)
    box = scene((256, 256), x, y, crs="EPSG:32618" if crs == "EPSG:2263" else UTM33)
    with pytest.raises(GridError, match=rf"mosaic\.resolution {resolution:g} means.*{expected}"):
        region_grid({"a": box}, MosaicSettings(crs=crs, resolution=resolution))


def test_coarser_and_finer_resolutions_are_allowed():
    assert region_grid({"a": scene((256, 256), 5e5, 5e6)}, MosaicSettings(resolution=100)).shape == (26, 26)
    assert region_grid({"a": scene((2560, 2560), 5e5, 5e6)}, MosaicSettings(resolution=1000)).shape == (26, 26)
    assert region_grid({"a": scene((256, 256), 5e5, 5e6)}, MosaicSettings(resolution=2.5)).shape == (1024, 1024)
    assert region_grid({"a": scene((700, 1), 5e5, 5e6)}, MosaicSettings(resolution=10)).shape == (700, 1)


def test_scene_across_a_break_of_the_projection_is_an_error():
    box = scene((256, 256), 818_000, 8_173_000, crs="EPSG:32760")
    with pytest.raises(GridError, match=r"scene a crosses a break of the projection .*; set mosaic\.crs"):
        region_grid({"a": box}, MosaicSettings(crs="ESRI:54009"))


@pytest.mark.parametrize("crs", ["EPSG:4978", "EPSG:5773", "IAU_2015:30100", 'LOCAL_CS["site",UNIT["metre",1]]'])
def test_crs_not_suited_for_maps_is_an_error(crs: str):
    with pytest.raises(GridError, match=r"mosaic\.crs '.*' .*; use a code such as EPSG:32633"):
        region_grid({"a": scene((256, 256), 5e5, 5e6)}, MosaicSettings(crs=crs))


def test_invalid_crs_is_an_error_and_heights_are_dropped():
    with pytest.raises(GridError, match=r"mosaic\.crs 'EPSG:32633\+5773' is not a valid CRS"):
        region_grid({"a": scene((256, 256), 5e5, 5e6)}, MosaicSettings(crs="EPSG:32633+5773"))
    assert region_grid({"a": scene((256, 256), 5e5, 5e6)}, MosaicSettings(crs="EPSG:4979")).crs.epsg == 4326


def test_the_window_that_a_scene_reaches_is_empty_elsewhere_on_the_earth():
    grid = scene((300, 200), 500_000, 5_000_000)
    assert reached_window(scene((50, 40), 501_000, 4_999_500), grid) == Window(50, 100, 50, 40)
    assert reached_window(scene((50, 40), 498_000, 5_000_100), grid).is_empty
    assert reached_window(scene((50, 40), 900_000, 5_000_000), grid).is_empty
    for crs in ("EPSG:32601", "EPSG:32733", "EPSG:3413"):  # other side of the Earth, southern hemisphere, Arctic
        assert reached_window(scene((50, 40), 500_000, 5_000_000, crs=crs), grid).is_empty, crs
    world = GeoBox((180, 360), Affine(1, 0, -180, 0, -1, 90), "EPSG:4326")
    assert reached_window(world, grid) == Window.whole((300, 200))
