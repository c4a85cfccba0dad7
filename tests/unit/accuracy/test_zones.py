import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from clairemap.accuracy.assessment import InterpretedSample
from clairemap.accuracy.draw import OUTSIDE
from clairemap.accuracy.estimators import Strata, area_of
from clairemap.accuracy.zone_areas import ZoneCounts, by_zone, counted_by_zone
from clairemap.accuracy.zones import OUTSIDE_ZONES, Zones, read_zones
from clairemap.classes import LandCoverClass, Legend
from clairemap.errors import SampleError
from clairemap.grid.earth import to_degrees
from clairemap.grid.window import Window

LEGEND = Legend(classes=(LandCoverClass(code=5, name="water"), LandCoverClass(code=2, name="forest")))
TRANSFORM = from_origin(500_000, 5_000_000, 10, 10)
GRID = GeoBox((100, 200), TRANSFORM, "EPSG:32633")

WEST = shapely.box(500_000, 4_999_000, 501_000, 5_000_000)
EAST_WITH_HOLE = shapely.box(501_000, 4_999_000, 502_000, 5_000_000) - shapely.box(
    501_200, 4_999_200, 501_500, 4_999_500
)


def write(path: Path, polygons: Sequence[Any], names: Sequence[str | None], crs: str | None = "EPSG:32633") -> Path:
    pyogrio.raw.write(
        path, shapely.to_wkb(np.array(polygons, object)), [np.array(names, object)], ["name"], crs=crs,
        geometry_type="Unknown", driver="GPKG", layer="zones",
    )  # fmt: skip
    return path


def in_degrees(polygon: Any) -> Any:
    return shapely.transform(
        shapely.segmentize(polygon, 50), lambda p: np.column_stack(to_degrees(GRID.crs, p[:, 0], p[:, 1]))
    )


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:4326"])
def test_zones_in_any_crs_with_holes(tmp_path: Path, crs: str):
    polygons = [WEST, EAST_WITH_HOLE]
    if crs == "EPSG:4326":
        polygons = [in_degrees(polygon) for polygon in polygons]
    zones = read_zones(write(tmp_path / "zones.gpkg", polygons, ["west", "east"], crs), "name", GRID)
    assert zones.names == ("west", "east")
    assert zones.remarks == ()
    assert shapely.area(zones.polygons) == pytest.approx([10_000, 10_000 - 900], abs=2)
    found = zones.of_pixels(Window(0, 0, 100, 200))
    assert (found[:, :100] == 0).all()
    assert (found[50:80, 120:150] == OUTSIDE).all()
    assert (found == 1).sum() == 9100
    part = zones.of_pixels(Window(40, 90, 20, 50))
    assert np.array_equal(part, found[40:60, 90:140])
    assert zones.strata_of_pixels(Window(60, 130, 1, 1)).tolist() == [[2]]


def test_overlaps_invalid_geometries_and_the_rest_are_reported(tmp_path: Path):
    wide = shapely.box(500_000, 4_999_000, 501_500, 5_000_000)
    bow_tie = shapely.Polygon([(501_500, 4_999_000), (502_000, 5_000_000), (502_000, 4_999_000), (501_500, 5_000_000)])
    far = shapely.box(900_000, 4_999_000, 901_000, 5_000_000)
    polygons = [WEST, wide, bow_tie, far, shapely.Point(500_500, 4_999_500)]
    path = write(tmp_path / "zones.gpkg", polygons, ["west", "wide", "tie", "far", "spot"])
    zones = read_zones(path, "name", GRID)
    assert zones.names == ("west", "wide", "tie")
    assert shapely.area(zones.polygons) == pytest.approx([10_000, 5_000, 2_500])
    text = "\n".join(zones.remarks)
    assert "1 polygon(s) are not valid and were repaired" in text
    assert "1 feature(s) are not polygons" in text
    assert "the overlap counts for the first of them: west and wide (10000 px)" in text
    assert "zones not on the map: far, spot" in text


def test_polygons_of_one_name_are_one_zone(tmp_path: Path):
    path = write(tmp_path / "zones.gpkg", [WEST, EAST_WITH_HOLE], ["all", "all"])
    assert read_zones(path, "name", GRID).names == ("all",)


@pytest.mark.parametrize(
    ("names", "field", "crs", "polygon", "message"),
    [
        (["a"], "nme", "EPSG:32633", WEST, r"no field 'nme'; set accuracy.zone_field to one of its fields: name"),
        ([None], "name", "EPSG:32633", WEST, "1 of 1 features have no name in 'name'"),
        (["a"], "name", None, WEST, "has no CRS; assign its CRS"),
        (["a"], "name", "EPSG:32633", shapely.Point(500_500, 4_999_500), "none of its 1 zones is on the map"),
        (
            ["a"],
            "name",
            "EPSG:32632",
            WEST,
            r"is on the map \(zones in EPSG:32632, map in EPSG:32633",
        ),
    ],
)
def test_faults(tmp_path: Path, names: list[str], field: str, crs: str | None, polygon: Any, message: str):
    path = write(tmp_path / "zones.gpkg", [polygon], names, crs)
    with pytest.raises(SampleError, match=message):
        read_zones(path, field, GRID)


def test_missing_and_damaged_files(tmp_path: Path):
    with pytest.raises(SampleError, match="does not exist; correct accuracy.zones"):
        read_zones(tmp_path / "zones.gpkg", "name", GRID)
    (tmp_path / "zones.gpkg").write_text("not a vector file")
    with pytest.raises(SampleError, match="cannot be read as a vector file"):
        read_zones(tmp_path / "zones.gpkg", "name", GRID)


def test_several_layers_are_refused(tmp_path: Path):
    path = write(tmp_path / "zones.gpkg", [WEST], ["a"])
    pyogrio.raw.write(
        path, shapely.to_wkb(np.array([WEST])), [np.array(["b"], object)], ["name"], crs="EPSG:32633",
        geometry_type="Polygon", driver="GPKG", layer="more", append=True,
    )  # fmt: skip
    with pytest.raises(SampleError, match="several layers"):
        read_zones(path, "name", GRID)


def write_map(path: Path, codes: np.ndarray, grid: GeoBox = GRID) -> Path:
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "nodata": 255}
    height, width = codes.shape
    with rasterio.open(
        path, "w", crs=str(grid.crs), transform=grid.transform, height=height, width=width, **profile
    ) as file:
        file.write(codes, 1)
    return path


def test_pixels_at_borders_count_in_part(tmp_path: Path):
    codes = np.full((100, 200), 2, np.uint8)
    codes[:, 100:] = 5
    codes[:10] = 255
    path = write_map(tmp_path / "a.landcover.tif", codes)
    zones = Zones(("a", "b"), np.array([shapely.box(50.25, 20.5, 120.75, 30), shapely.box(0, 0, 1, 11)]))
    found = counted_by_zone(path, zones, LEGEND)
    np.testing.assert_allclose(found, [[9.5 * 20.75 * 100, 9.5 * 49.75 * 100], [0, 100]])


def test_large_zones_are_counted_by_windows_and_on_the_ellipsoid(tmp_path: Path):
    grid = GeoBox((1500, 1200), from_origin(10, 60, 0.01, 0.01), "EPSG:4326")
    path = write_map(tmp_path / "a.landcover.tif", np.full((1500, 1200), 2, np.uint8), grid)
    whole = counted_by_zone(path, Zones(("all",), np.array([shapely.box(0, 0, 1200, 1500)])), LEGEND)[0, 1]
    north = counted_by_zone(path, Zones(("n",), np.array([shapely.box(0, 0, 1200, 750)])), LEGEND)[0, 1]
    assert 0.45 * whole < north < 0.48 * whole
    assert whole == pytest.approx(
        6371**2 * 1e6 * np.radians(12) * (np.sin(np.radians(60)) - np.sin(np.radians(45))), rel=5e-3
    )


def made_sample(rng: np.random.Generator, units: int) -> tuple[InterpretedSample, np.ndarray]:
    """Two zones of 70 and 30 ha, with 20 and 70 % of class 1; a tenth is mapped wrong, in zone b three tenths.

    Strata are mapped classes.
    """
    zone = (rng.random(units) < 0.3).astype(np.int32)
    reference = (rng.random(units) < np.where(zone, 0.7, 0.2)).astype(np.intp)
    mapped = np.where(rng.random(units) < np.where(zone, 0.3, 0.1), 1 - reference, reference)
    shares = COUNTED.sum(0) / 100
    return InterpretedSample(mapped, reference, Strata(mapped, shares * 1e6, shares * 100, np.ones(units)), 2), zone


COUNTED = np.array([[70 * 0.74, 70 * 0.26], [30 * 0.42, 30 * 0.58]])


def test_intervals_of_zones_contain_the_truth():
    rng = np.random.default_rng(4)
    inside, values = 0, []
    for _ in range(500):
        sample, zone = made_sample(rng, 300)
        _, found = by_zone(sample, ZoneCounts(("a", "b"), zone, COUNTED), np.ones(300, bool), COUNTED.sum(0))
        assert found.ha is not None
        inside += found.ha[1].low <= 21 <= found.ha[1].high
        values.append(found.ha[1].value)
    assert 0.92 <= inside / 500 <= 0.98
    assert np.mean(values) == pytest.approx(21, abs=4 * np.std(values) / np.sqrt(500))


def test_the_interval_of_a_class_that_a_zone_lacks_contains_0():
    """Zones of 70 and 30 ha: a third of the first is class 1, nothing of the second; a tenth is mapped wrong."""
    rng = np.random.default_rng(6)
    counted = np.array([[70 * 0.6333, 70 * 0.3667], [30 * 0.9, 30 * 0.1]])
    inside = 0
    for _ in range(300):
        zone = (rng.random(400) < 0.3).astype(np.int32)
        reference = (rng.random(400) < np.where(zone, 0, 1 / 3)).astype(np.intp)
        mapped = np.where(rng.random(400) < 0.1, 1 - reference, reference)
        strata = Strata(mapped, counted.sum(0) * 1e4, counted.sum(0), np.ones(400))
        counts = ZoneCounts(("a", "b"), zone, counted)
        _, second = by_zone(InterpretedSample(mapped, reference, strata, 2), counts, np.ones(400, bool), counted.sum(0))
        assert second.ha is not None
        inside += second.ha[1].low == 0 and second.ha[0].high == pytest.approx(30)
    assert inside / 300 >= 0.9


def test_zones_that_are_strata_are_estimated_from_their_own_units():
    rng = np.random.default_rng(5)
    of_units = np.repeat(np.arange(4), 40)  # zone 0: strata 0, 1; zone 1: strata 2, 3
    reference = rng.integers(0, 2, 160)
    strata = Strata(of_units, np.full(4, 1e5), np.array([10.0, 20, 30, 40]), np.ones(160))
    sample = InterpretedSample(of_units % 2, reference, strata, 2)
    counts = ZoneCounts(("a", "b"), (of_units // 2).astype(np.int32), np.array([[10.0, 20], [30, 40]]))
    first, second = by_zone(sample, counts, np.ones(160, bool), np.array([40.0, 60]))
    alone = Strata(of_units[:80], np.full(2, 1e5), np.array([10.0, 20]), np.ones(80))
    expected = area_of(alone, (reference[:80] == 1).astype(float))
    assert first.ha is not None and second.ha is not None
    assert first.ha[1].value == pytest.approx(expected.value)
    assert first.ha[1].standard_error == pytest.approx(expected.standard_error)
    assert sum(each.value for each in second.ha) == pytest.approx(70)


def test_the_rest_of_the_map_is_a_zone_and_few_units_give_no_areas():
    of_units = np.zeros(60, np.intp)
    strata = Strata(of_units, np.array([1e5]), np.array([100.0]), np.ones(60))
    sample = InterpretedSample(of_units, np.zeros(60, np.intp), strata, 2)
    zone = np.where(np.arange(60) < 10, 0, OUTSIDE).astype(np.int32)
    found = by_zone(sample, ZoneCounts(("a",), zone, np.array([[20.0, 0]])), np.ones(60, bool), np.array([100.0, 0]))
    assert [(each.name, each.units) for each in found] == [("a", 10), (OUTSIDE_ZONES, 50)]
    assert found[0].ha is None
    assert found[1].counted_ha.tolist() == [80, 0]


def test_geojson_without_a_crs_member_is_in_degrees(tmp_path: Path):
    feature = {"type": "Feature", "properties": {"name": "a"}, "geometry": shapely.geometry.mapping(in_degrees(WEST))}
    (tmp_path / "zones.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    zones = read_zones(tmp_path / "zones.geojson", "name", GRID)
    assert shapely.area(zones.polygons[0]) == pytest.approx(10_000, abs=2)
