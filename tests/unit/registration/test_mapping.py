from pathlib import Path
from types import ModuleType

import numpy as np
import pyproj
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from clairemap.errors import GridError, NoOverlapError
from clairemap.grid.window import Window
from clairemap.raster.source import RasterSource
from clairemap.registration.mapping import TOLERANCE_PX, PixelMapping, mapping_between
from clairemap.registration.model import Displacement

UTM = GeoBox((2048, 2048), Affine(10, 0, 500_000, 0, -10, 5_300_000), "EPSG:32633")
DEGREES = GeoBox((4000, 5000), Affine(9e-5, 0, 14.99, 0, -9e-5, 47.86), "EPSG:4326")
PIXELS = GeoBox((100, 120), Affine.identity(), None)


def test_coordinates_are_what_the_projection_says() -> None:
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


def test_the_mesh_is_refined_where_the_projection_bends() -> None:
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


def test_displacement_points_to_where_the_content_lies() -> None:
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


def test_grids_that_differ_in_the_last_digits_are_the_same() -> None:
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
def test_other_grids_are_not_the_same(other: GeoBox) -> None:
    assert PixelMapping(UTM, other).whole_offset_px is None


def test_a_fraction_of_a_pixel_is_no_whole_offset() -> None:
    assert PixelMapping(UTM, UTM, Displacement.translation(0.5, 0)).whole_offset_px is None


def test_the_span_of_a_pixel() -> None:
    fine = GeoBox((4000, 4000), Affine(2.5, 0, 500_000, 0, -5, 5_300_000), UTM.crs)
    assert PixelMapping(UTM, fine).source_px_per_target_px == (pytest.approx(2), pytest.approx(4))


def test_plain_pixels_are_matched_by_number() -> None:
    larger = GeoBox((200, 200), Affine.identity(), None)
    assert PixelMapping(PIXELS, larger).whole_offset_px == (0, 0)
    tagged = GeoBox((200, 200), Affine(10, 0, 500, 0, -10, 900), None)
    assert PixelMapping(PIXELS, tagged).whole_offset_px == (0, 0)


def test_what_a_projection_cannot_carry_over_lies_outside() -> None:
    everywhere = GeoBox((10, 10), Affine(36, 0, -180, 0, -18, 90), "EPSG:4326")
    y, x = PixelMapping(everywhere, UTM).exact(np.array([0.0]), np.array([0.0]))
    assert not (0 <= y[0] < 2048 and 0 <= x[0] < 2048)


def opened(folder: Path, made_rasters: ModuleType, name: str, grid: GeoBox | None) -> RasterSource:
    return RasterSource(made_rasters.write_raster(folder / name, np.ones((1, 8, 8), np.uint8), grid))


def test_a_missing_crs_names_both_files(tmp_path: Path, made_rasters: ModuleType) -> None:
    placed = GeoBox((8, 8), UTM.transform, UTM.crs)
    with (
        opened(tmp_path, made_rasters, "a.tif", placed) as a,
        opened(tmp_path, made_rasters, "b.tif", None) as b,
        pytest.raises(GridError, match=r"b\.tif has no CRS, but .*a\.tif has EPSG:32633"),
    ):
        mapping_between(a, b)


def test_no_overlap_names_both_files_and_their_bounds(tmp_path: Path, made_rasters: ModuleType) -> None:
    here = GeoBox((8, 8), UTM.transform, UTM.crs)
    there = GeoBox((8, 8), Affine(1e-4, 0, 16.0, 0, -1e-4, 47.8), "EPSG:4326")
    with (
        opened(tmp_path, made_rasters, "a.tif", here) as a,
        opened(tmp_path, made_rasters, "b.tif", there) as b,
        pytest.raises(NoOverlapError) as caught,
    ):
        mapping_between(a, b)
    text = str(caught.value)
    assert "a.tif" in text and "b.tif" in text and "(500000, 5299920, 500080, 5300000)" in text and "(574" in text


def test_a_large_source_around_a_small_target_overlaps(tmp_path: Path, made_rasters: ModuleType) -> None:
    small = GeoBox((8, 8), Affine(1, 0, 500_040, 0, -1, 5_299_960), UTM.crs)
    with (
        opened(tmp_path, made_rasters, "a.tif", small) as a,
        opened(tmp_path, made_rasters, "b.tif", GeoBox((8, 8), UTM.transform, UTM.crs)) as b,
    ):
        assert mapping_between(a, b).source_px_per_target_px == (pytest.approx(0.1), pytest.approx(0.1))
