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
from clairemap.metrics.ground import PixelArea, map_coverage, total_coverage

LEGEND = Legend((LandCoverClass(10, "water", "#0000ff"), LandCoverClass(20, "forest", "#00ff00")))


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
def test_pixels_have_the_area_that_their_corners_enclose_on_the_ellipsoid(
    crs: str, transform: Affine, tolerance: float
):
    geobox = GeoBox((600, 400), transform, crs)
    window = Window(100, 0, 500, 400)
    areas = PixelArea.of(geobox).of_rows(window)
    assert areas.shape == (500,)
    assert areas[0] == pytest.approx(geodesic_m2(geobox, 100, 200), rel=tolerance)
    assert areas[-1] == pytest.approx(geodesic_m2(geobox, 599, 200), rel=tolerance)


def test_utm_is_measured_in_the_plane():
    ground = PixelArea.of(GeoBox((50, 60), Affine(10, 0, 5e5, 0, -20, 53e5), "EPSG:32633"))
    assert "plane" in ground.method
    np.testing.assert_allclose(ground.of_rows(Window(0, 0, 3, 3)), 200)


def test_map_classes_are_counted_across_windows(tmp_path: Path):
    rng = np.random.default_rng(0)
    codes = rng.choice(np.array([10, 20, 255], np.uint8), (1100, 1050))
    path = write_map(tmp_path / "map.tif", codes, Affine(10, 0, 5e5, 0, -10, 53e5), "EPSG:32633")
    coverage = map_coverage(path, LEGEND)
    assert coverage.px.tolist() == [(codes == 10).sum(), (codes == 20).sum()]
    np.testing.assert_allclose(coverage.m2, coverage.px * 100.0)


def test_a_map_without_crs_has_pixels_but_no_area_and_says_why(tmp_path: Path):
    path = write_map(tmp_path / "map.tif", np.full((4, 4), 20, np.uint8), Affine.identity(), None)
    coverage = map_coverage(path, LEGEND)
    assert coverage.px.tolist() == [0, 16]
    assert coverage.m2 is None
    assert "no coordinate reference system" in coverage.method


def test_one_map_of_unknown_area_makes_the_sum_unknown(tmp_path: Path):
    codes = np.full((4, 4), 10, np.uint8)
    known = map_coverage(write_map(tmp_path / "a.tif", codes, Affine(1, 0, 5e5, 0, -1, 53e5), "EPSG:32633"), LEGEND)
    unknown = map_coverage(write_map(tmp_path / "b.tif", codes, Affine.identity(), None), LEGEND)
    assert total_coverage(iter([known, known]), 2).m2.tolist() == [32, 0]
    total = total_coverage(iter([known, unknown]), 2)
    assert total.px.tolist() == [32, 0]
    assert total.m2 is None
