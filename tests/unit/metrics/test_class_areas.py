from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import CRS, Geod, Transformer

from clairemap.classes import LandCoverClass, Legend
from clairemap.grid.window import Window
from clairemap.metrics.class_areas import PixelArea, map_class_areas, total_class_areas
from clairemap.raster.source import RasterSource

LEGEND = Legend(classes=(LandCoverClass(code=10, name="water"), LandCoverClass(code=20, name="forest")))


def cell_corner(geobox: GeoBox, x: float, y: float) -> tuple[float, float]:
    a, b, c, d, e, f = geobox.transform[:6]
    return a * x + b * y + c, d * x + e * y + f


def geodesic_m2(geobox: GeoBox, row: int, column: int) -> float:
    """Area of one pixel on the ellipsoid, from its corners."""
    to_ground = Transformer.from_crs(CRS.from_wkt(geobox.crs.to_wkt()), "EPSG:4326", always_xy=True)
    corners = [(0, 0), (1, 0), (1, 1), (0, 1)]
    lon, lat = zip(*[to_ground.transform(*cell_corner(geobox, column + x, row + y)) for x, y in corners], strict=True)
    return abs(Geod(ellps="WGS84").polygon_area_perimeter(lon, lat)[0])


def write_map(path: Path, codes: NDArray[np.uint8], transform: Affine, crs: str | None) -> Path:
    with rasterio.open(
        path, "w", driver="GTiff", height=codes.shape[0], width=codes.shape[1], count=1, dtype="uint8",
        nodata=255, transform=transform, crs=crs,
    ) as target:  # fmt: skip
        target.write(codes, 1)
    return path


@pytest.mark.parametrize(
    ("crs", "transform", "tolerance"),
    [
        ("EPSG:4326", Affine(1e-4, 0, 11, 0, -1e-4, 61), 1e-6),
        ("EPSG:3395", Affine(10, 0, -13e6, 0, -10, 4e6), 1e-4),
        ("EPSG:3857", Affine(10, 0, 1e6, 0, -10, 7e6), 1e-4),
        ("EPSG:2263", Affine(30, 0, 1e6, 0, -30, 2e5), 2e-3),
        ("EPSG:32633", Affine(10, 0, 5e5, 0, -10, 53e5), 2e-3),
    ],
)
def test_pixel_area_is_that_enclosed_by_its_corners_on_the_ellipsoid(crs: str, transform: Affine, tolerance: float):
    geobox = GeoBox((600, 400), transform, crs)
    window = Window(100, 0, 500, 400)
    areas = PixelArea.of(geobox).of_rows(window)
    assert areas.shape == (500,)
    assert areas[0] == pytest.approx(geodesic_m2(geobox, 100, 200), rel=tolerance)
    assert areas[-1] == pytest.approx(geodesic_m2(geobox, 599, 200), rel=tolerance)


@pytest.mark.parametrize("crs", ["EPSG:2263", "EPSG:32633"])
def test_area_in_projections_with_little_distortion_is_planar_in_any_unit(crs: str):
    left, top = (1e6, 2e5) if crs == "EPSG:2263" else (5e5, 53e5)
    ground = PixelArea.of(GeoBox((60, 40), Affine(30, 0, left, 0, -30, top), crs))
    unit_m = 1200 / 3937 if crs == "EPSG:2263" else 1.0  # US survey feet
    assert ground.method == "computed in the map projection"
    assert ground.planar_m2 == pytest.approx((30 * unit_m) ** 2)


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:3832", Affine(10, 0, 3339584.72 - 2000, 0, -10, -18e5)),
        ("EPSG:3857", Affine(10, 0, 20037508.34 - 2000, 0, -10, -18e5)),
        ("EPSG:4326", Affine(1e-4, 0, 179.98, 0, -1e-4, -16)),
        ("EPSG:4326", Affine(1e-4, 5e-5, 179.98, 5e-5, -1e-4, -16)),
        ("EPSG:32760", Affine(10, 0, 818_000, 0, -10, 8_173_000)),
        ("EPSG:3413", Affine(1000, 0, -200_000, 0, -1000, 300_000)),  # the pole is in the middle
        ("EPSG:3031", Affine(1000, 0, -200_000, 0, -1000, 300_000)),
        ("EPSG:3413", Affine(10, 0, -2000, 0, -10, 3000)),
        ("EPSG:6931", Affine(25_000, 0, -200 * 25_000, 0, -25_000, 300 * 25_000)),  # equal-area, to the equator
    ],
)
def test_pixels_at_180_degrees_and_at_poles_have_an_area(crs: str, transform: Affine):
    geobox = GeoBox((600, 400), transform, crs)
    ground = PixelArea.of(geobox)
    for row, column in ((0, 0), (300, 199), (299, 200), (300, 200), (450, 399), (599, 10)):
        area = ground.of_rows(Window(row, column, 1, 1))[0]
        assert area == pytest.approx(geodesic_m2(geobox, row, column), rel=3e-3)


@pytest.mark.parametrize("transform", [Affine(1, 0, 0, 0, -1, 90), Affine(1, 0, -180.5, 0, -1, 90.5)])
def test_grids_of_degrees_end_at_the_pole(transform: Affine):
    geobox = GeoBox((round(2 * transform.f), 360), transform, "EPSG:4326")
    areas = PixelArea.of(geobox).of_rows(Window.whole(geobox.shape))
    assert 360 * areas.sum() == pytest.approx(510_065_621.72e6, rel=1e-9)


def test_areas_of_a_map_around_the_pole_sum_to_its_extent(tmp_path: Path):
    geobox = GeoBox((300, 200), Affine(10_000, 0, -1_000_000, 0, -10_000, 1_500_000), "EPSG:3413")
    codes = np.full((300, 200), 10, np.uint8)
    areas = map_class_areas(write_map(tmp_path / "map.tif", codes, geobox.transform, "EPSG:3413"), LEGEND)
    rim = [(x, 0) for x in range(200)] + [(200, y) for y in range(300)]
    rim += [(200 - x, 300) for x in range(200)] + [(0, 300 - y) for y in range(300)]
    to_ground = Transformer.from_crs(geobox.crs.to_wkt(), "EPSG:4326", always_xy=True)
    lon, lat = zip(*[to_ground.transform(*cell_corner(geobox, *place)) for place in rim], strict=True)
    whole = abs(Geod(ellps="WGS84").polygon_area_perimeter(lon, lat)[0])
    assert areas.m2 is not None
    assert areas.m2[0] == pytest.approx(whole, rel=1e-3)
    assert "distorts" in areas.method


def test_area_in_utm_is_planar():
    ground = PixelArea.of(GeoBox((50, 60), Affine(10, 0, 5e5, 0, -20, 53e5), "EPSG:32633"))
    assert ground.method == "computed in the map projection"
    np.testing.assert_allclose(ground.of_rows(Window(0, 0, 3, 3)), 200)


def test_map_classes_are_counted_across_windows(tmp_path: Path):
    rng = np.random.default_rng(0)
    codes = rng.choice(np.array([10, 20, 255], np.uint8), (1100, 1050))
    path = write_map(tmp_path / "map.tif", codes, Affine(10, 0, 5e5, 0, -10, 53e5), "EPSG:32633")
    areas = map_class_areas(path, LEGEND)
    assert areas.px.tolist() == [(codes == 10).sum(), (codes == 20).sum()]
    np.testing.assert_allclose(areas.m2, areas.px * 100.0)


def test_map_without_crs_has_pixels_but_no_area(tmp_path: Path):
    path = write_map(tmp_path / "map.tif", np.full((4, 4), 20, np.uint8), Affine.identity(), None)
    areas = map_class_areas(path, LEGEND)
    assert areas.px.tolist() == [0, 16]
    assert areas.m2 is None
    assert "no coordinate reference system" in areas.method


def test_sum_with_a_map_of_unknown_area_is_unknown(tmp_path: Path):
    codes = np.full((4, 4), 10, np.uint8)
    known = map_class_areas(write_map(tmp_path / "a.tif", codes, Affine(1, 0, 5e5, 0, -1, 53e5), "EPSG:32633"), LEGEND)
    unknown = map_class_areas(write_map(tmp_path / "b.tif", codes, Affine.identity(), None), LEGEND)
    assert total_class_areas(iter([known, known]), 2).m2.tolist() == [32, 0]
    total = total_class_areas(iter([known, unknown]), 2)
    assert total.px.tolist() == [32, 0]
    assert total.m2 is None


def test_only_stored_blocks_of_a_sparse_map_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "map.tif"
    grid = {"height": 30_000, "width": 20_000, "transform": Affine(10, 0, 5e5, 0, -10, 53e5), "crs": "EPSG:32633"}
    blocks = {"tiled": True, "blockxsize": 512, "blockysize": 512, "sparse_ok": True, "compress": "ZSTD"}
    with rasterio.open(path, "w", driver="GTiff", count=1, dtype="uint8", nodata=255, **grid, **blocks) as target:
        target.write(np.full((300, 20), 20, np.uint8), 1, window=rasterio.windows.Window(15_000, 29_000, 20, 300))
    read, windows = RasterSource.read, []

    def counting(source: RasterSource, window: Window, indexes: tuple[int, ...]):
        windows.append(window)
        return read(source, window, indexes)

    monkeypatch.setattr(RasterSource, "read", counting)
    assert map_class_areas(path, LEGEND).px.tolist() == [0, 6000]
    assert len(windows) <= 2
