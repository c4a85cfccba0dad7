import numpy as np
import pyproj
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from clairemap.grid.mapping import PixelMapping, whole_shift
from clairemap.grid.mesh import TOLERANCE_PX
from clairemap.grid.points import Shift
from clairemap.grid.window import Window
from clairemap.registration.model import Displacement

UTM = GeoBox((2048, 2048), Affine(10, 0, 500_000, 0, -10, 5_300_000), "EPSG:32633")
DEGREES = GeoBox((4000, 5000), Affine(9e-5, 0, 14.99, 0, -9e-5, 47.86), "EPSG:4326")
PIXELS = GeoBox((100, 120), Affine.identity(), None)


def test_coordinates_equal_those_of_the_projection() -> None:
    mapping = PixelMapping(UTM, DEGREES)
    y, x = mapping.exact(np.array([100.0]), np.array([40.0]))
    lon, lat = pyproj.Transformer.from_crs(32633, 4326, always_xy=True).transform(500_405.0, 5_298_995.0)
    assert x[0] == pytest.approx((lon - 14.99) / 9e-5 - 0.5, abs=1e-6)
    assert y[0] == pytest.approx((47.86 - lat) / 9e-5 - 0.5, abs=1e-6)


@pytest.mark.parametrize("source", [DEGREES, GeoBox((3000, 3000), Affine(8, 1, 490_000, 1, -8, 5_310_000), UTM.crs)])
def test_the_mesh_is_exact_to_the_tolerance(source: GeoBox) -> None:
    mapping = PixelMapping(UTM, source, Displacement.translation(3.4, -2.3))
    window = Window(517, 1030, 301, 203)
    rows, cols = np.mgrid[window.y0 : window.y1, window.x0 : window.x1].astype(float)
    for meshed, exact in zip(mapping.coordinates(window), mapping.exact(rows, cols), strict=True):
        assert meshed.shape == window.shape
        assert np.abs(meshed - exact).max() < TOLERANCE_PX


def test_the_mesh_is_refined_where_the_projection_is_curved() -> None:
    coarse = GeoBox((200, 200), Affine(20_000, 0, -2_000_000, 0, -20_000, 8_000_000), "EPSG:3035")
    world = GeoBox((1800, 3600), Affine(0.1, 0, -180, 0, -0.1, 90), "EPSG:4326")
    mapping = PixelMapping(coarse, world)
    assert mapping.mesh_px < 32
    rows, cols = np.mgrid[20:120, 30:130].astype(float)
    meshed, exact = mapping.coordinates(Window(20, 30, 100, 100)), mapping.exact(rows, cols)
    assert np.nanmax(np.abs(np.subtract(meshed, exact))) < 2 * TOLERANCE_PX


def test_a_pixels_coordinates_do_not_depend_on_the_window() -> None:
    mapping = PixelMapping(UTM, DEGREES)
    large, small = mapping.coordinates(Window(0, 0, 300, 300)), mapping.coordinates(Window(97, 143, 50, 11))
    for whole, part in zip(large, small, strict=True):
        assert np.array_equal(whole[97:147, 143:154], part)


def test_the_displacement_is_added_before_georeferencing() -> None:
    mapping = PixelMapping(UTM, UTM, Displacement.translation(dy_px=2.0, dx_px=-3.0))
    y, x = mapping.exact(np.array([10.0]), np.array([20.0]))
    assert (y[0], x[0]) == (pytest.approx(12), pytest.approx(17))
    assert mapping.whole_offset_px == (2, -3)


@pytest.mark.parametrize("source", [UTM, DEGREES])
def test_a_displacement_that_varies_is_meshed_to_the_tolerance(source: GeoBox) -> None:
    bend = Displacement("polynomial", (3, 40, -25, 12, 9, -6), (-2, 5, 30, -8, 4, 11), (1023.5, 1023.5), 1024.0)
    mapping, window = PixelMapping(UTM, source, bend), Window(517, 1030, 301, 203)
    rows, cols = np.mgrid[window.y0 : window.y1, window.x0 : window.x1].astype(float)
    assert mapping.whole_offset_px is None
    for meshed, exact in zip(mapping.coordinates(window), mapping.exact(rows, cols), strict=True):
        assert np.abs(meshed - exact).max() < TOLERANCE_PX
    if source is UTM:
        dy, dx = bend.at(rows, cols)
        assert mapping.exact(rows, cols) == (pytest.approx(rows + dy), pytest.approx(cols + dx))


def test_grids_that_differ_in_the_last_digits_match() -> None:
    nearly = GeoBox(DEGREES.shape, Affine(9e-5 * (1 + 1e-7), 0, 14.99 + 1e-8, 0, -9e-5, 47.86), DEGREES.crs)
    assert PixelMapping(DEGREES, nearly).whole_offset_px == (0, 0)


@pytest.mark.parametrize(
    "other",
    [
        GeoBox(UTM.shape, Affine(10, 0, 500_003, 0, -10, 5_300_000), UTM.crs),
        GeoBox(UTM.shape, Affine(10.0002, 0, 500_000, 0, -10, 5_300_000), UTM.crs),
        DEGREES,
    ],
)
def test_different_grids_do_not_match(other: GeoBox) -> None:
    assert PixelMapping(UTM, other).whole_offset_px is None


def test_a_fractional_shift_is_not_a_whole_offset() -> None:
    assert PixelMapping(UTM, UTM, Displacement.translation(0.5, 0)).whole_offset_px is None


def test_a_shift_is_whole_if_all_points_agree_on_it() -> None:
    y, x = np.array([0.0, 0, 9, 9]), np.array([0.0, 7, 0, 7])
    assert whole_shift((y, x), (y + 3.004, x - 2.004)) == Shift(dy=3, dx=-2)
    assert whole_shift((y, x), (y + 3.02, x - 2)) is None
    assert whole_shift((y, x), (y + 3, x * 1.002 - 2)) is None


def test_the_span_of_a_pixel() -> None:
    fine = GeoBox((4000, 4000), Affine(2.5, 0, 500_000, 0, -5, 5_300_000), UTM.crs)
    assert PixelMapping(UTM, fine).source_px_per_target_px == (pytest.approx(2), pytest.approx(4))


def test_plain_pixels_are_matched_by_number() -> None:
    larger = GeoBox((200, 200), Affine.identity(), None)
    assert PixelMapping(PIXELS, larger).whole_offset_px == (0, 0)
    tagged = GeoBox((200, 200), Affine(10, 0, 500, 0, -10, 900), None)
    assert PixelMapping(PIXELS, tagged).whole_offset_px == (0, 0)


def test_points_without_a_projection_are_outside() -> None:
    everywhere = GeoBox((10, 10), Affine(36, 0, -180, 0, -18, 90), "EPSG:4326")
    y, x = PixelMapping(everywhere, UTM).exact(np.array([0.0]), np.array([0.0]))
    assert not (0 <= y[0] < 2048 and 0 <= x[0] < 2048)


FIJI = GeoBox((256, 256), Affine(10, 0, 818_000, 0, -10, 8_173_000), "EPSG:32760")  # crosses 180 degrees
BEYOND = GeoBox((500, 900), Affine(1e-4, 0, 179.96, 0, -1e-4, -16.48), "EPSG:4326")
BEFORE = GeoBox((500, 900), Affine(1e-4, 0, -180.04, 0, -1e-4, -16.48), "EPSG:4326")
MERCATOR = GeoBox((500, 900), Affine(10, 0, 20_035_000, 0, -10, -1_862_000), "EPSG:3857")
WORLD = GeoBox((1800, 3600), Affine(0.1, 0, -180, 0, -0.1, 90), "EPSG:4326")
WORLD_360 = GeoBox((1800, 3600), Affine(0.1, 0, 0, 0, -0.1, 90), "EPSG:4326")


def same_ground(target: GeoBox, source: GeoBox, y: np.ndarray, x: np.ndarray, tolerance_m: float) -> None:
    """Check that target pixels and their source coordinates (y, x) have the same ground position."""
    rows, cols = np.mgrid[: target.shape[0], : target.shape[1]].astype(float)
    places = []
    for box, at_y, at_x in ((target, rows, cols), (source, y, x)):
        a, b, c, d, e, f = box.transform[:6]
        to_ground = pyproj.Transformer.from_crs(box.crs.proj, 4326, always_xy=True)
        places += to_ground.transform(a * (at_x + 0.5) + b * (at_y + 0.5) + c, d * (at_x + 0.5) + e * (at_y + 0.5) + f)
    assert pyproj.Geod(ellps="WGS84").inv(*(place.ravel() for place in places))[2].max() < tolerance_m


@pytest.mark.parametrize("source", [BEYOND, BEFORE, MERCATOR])
def test_a_scene_across_180_degrees_is_inside_a_source_that_extends_beyond(source: GeoBox) -> None:
    mapping = PixelMapping(FIJI, source)
    y, x = mapping.coordinates(Window.whole(FIJI.shape))
    assert y.min() >= 0 and y.max() < 500
    assert x.min() >= 0 and x.max() < 900
    same_ground(FIJI, source, y, x, tolerance_m=0.2)
    assert mapping.mesh_px == 32


def test_longitudes_up_to_360_match_those_up_to_180() -> None:
    east = GeoBox((100, 100), Affine(0.25, 0, 190, 0, -0.25, 48), "EPSG:4326")
    west = GeoBox((120, 140), Affine(0.25, 0, -175, 0, -0.25, 50), "EPSG:4326")
    assert PixelMapping(east, west).whole_offset_px == (8, 20)
    assert PixelMapping(west, east).whole_offset_px == (-8, -20)
    assert PixelMapping(WORLD_360, WORLD_360).whole_offset_px == (0, 0)


@pytest.mark.parametrize("source", [WORLD, WORLD_360])
@pytest.mark.parametrize("west", [-5, 175, -185, 355])
def test_the_first_column_of_a_global_source_follows_the_last(source: GeoBox, west: float) -> None:
    scene = GeoBox((100, 200), Affine(0.05, 0, west, 0, -0.05, 48), "EPSG:4326")
    mapping = PixelMapping(scene, source)
    assert mapping.source_period_px == 3600
    _, x = mapping.coordinates(Window.whole(scene.shape))
    assert np.allclose(np.diff(x, axis=1), 0.5)
    turns = ((x[0, 0] + 0.5) * 0.1 + source.transform.c - west - 0.025) / 360
    assert turns == pytest.approx(round(turns), abs=1e-9)
    aligned = GeoBox((100, 100), Affine(0.1, 0, west, 0, -0.1, 48), "EPSG:4326")
    offset = PixelMapping(aligned, source).whole_offset_px
    assert offset is not None and (offset.dx + round((source.transform.c - west) * 10)) % 3600 == 0


def test_no_pixel_is_mapped_into_the_jump_where_x_wraps() -> None:
    here = GeoBox((100, 200), Affine(0.1, 0, -10, 0, -0.1, 5), "EPSG:4326")
    mapping, window = PixelMapping(WORLD_360, here), Window(700, 1700, 300, 300)  # 170 to 200 degrees
    rows, cols = np.mgrid[window.y0 : window.y1, window.x0 : window.x1].astype(float)
    assert np.allclose(mapping.coordinates(window), mapping.exact(rows, cols), atol=TOLERANCE_PX)
    _, x = mapping.coordinates(window)
    assert not ((x > -1) & (x < 200)).any()


@pytest.mark.parametrize("crs", ["EPSG:3413", "EPSG:3031"])
def test_a_scene_around_a_pole(crs: str) -> None:
    polar = GeoBox((300, 300), Affine(1000, 0, -140_000, 0, -1000, 150_000), crs)
    y, x = PixelMapping(polar, WORLD).coordinates(Window.whole(polar.shape))
    same_ground(polar, WORLD, y, x, tolerance_m=1200)  # a hundredth of a pixel of 0.1 degrees, along the meridian


def test_the_span_of_a_pixel_ignores_poles_and_the_edge_of_the_source() -> None:
    polar = GeoBox((300, 300), Affine(1000, 0, -150_000, 0, -1000, 150_000), "EPSG:3413")
    rows, columns = PixelMapping(polar, WORLD).source_px_per_target_px
    assert rows < 0.2 and columns < 10
    nearly = GeoBox((1800, 3599), Affine(0.1, 0, -180, 0, -0.1, 90), "EPSG:4326")
    rows, columns = PixelMapping(WORLD_360, nearly).source_px_per_target_px
    assert (rows, columns) == (pytest.approx(1), pytest.approx(1))
