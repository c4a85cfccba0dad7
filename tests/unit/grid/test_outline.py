from typing import Any

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import CRS, Geod, Transformer
from shapely.geometry import Point, Polygon, box, shape

from clairemap.grid.outline import Outline, area_of, area_of_box, outline_of, outline_of_windows
from clairemap.grid.window import Window

DEGREES = "EPSG:4326"


def degrees(west: float, north: float, step: float = 1e-4, crs: str = DEGREES, size: tuple[int, int] = (256, 256)):
    return GeoBox(size, Affine(step, 0, west, 0, -step, north), crs)


def around(crs: str, longitude: float, latitude: float, pixel: float, size: int = 256):
    x, y = Transformer.from_crs(DEGREES, crs, always_xy=True).transform(longitude, latitude)
    return GeoBox((size, size), Affine(pixel, 0, x - pixel * size / 2, 0, -pixel, y + pixel * size / 2), crs)


def outline(geobox: GeoBox) -> Outline:
    found = outline_of_windows(geobox, [Window.whole(geobox.shape)])
    assert found is not None
    return found


def ellipsoidal_km2(geometry: dict[str, Any]) -> float:
    """Return the ellipsoidal area of a GeoJSON geometry with counter-clockwise exterior rings."""
    area, _ = Geod(ellps="WGS84").geometry_area_perimeter(shape(geometry).segmentize(0.05))
    return float(area / 1e6)


def holds_its_pixels(geobox: GeoBox) -> None:
    """Check that pixel centres are inside the outline and points beyond the grid are not."""
    rows, columns = (size * np.array([0.03, 0.2, 0.5, 0.8, 0.97]) for size in geobox.shape)
    to_ground = Transformer.from_crs(CRS.from_wkt(geobox.crs.to_wkt()), DEGREES, always_xy=True)
    ground = shape(outline(geobox).geometry)
    for row in rows:
        for column in columns:
            a, b, c, d, e, f = geobox.transform[:6]
            longitude, latitude = to_ground.transform(a * column + b * row + c, d * column + e * row + f)
            assert ground.intersects(Point((longitude + 180) % 360 - 180, latitude))


def test_an_outline_runs_counter_clockwise_and_its_box_is_that_of_the_grid():
    found = outline(degrees(15, 48))
    assert found.geometry["type"] == "Polygon"
    assert Polygon(found.geometry["coordinates"][0]).exterior.is_ccw
    assert found.bbox == (15, 47.9744, 15.0256, 48)


@pytest.mark.parametrize(
    "geobox",
    [
        degrees(179.99, -16),
        degrees(-180.0128, -16),
        around("EPSG:32760", 180, -16.5, 10),
        around("EPSG:32701", 180, -16.5, 10),
        around("EPSG:3832", 180, -16, 10),
        around("EPSG:3413", 180, 70, 30),
        GeoBox((256, 256), Affine(10, 0, 20_037_508.34 - 1280, 0, -10, -18e5), "EPSG:3857"),
    ],
)
def test_an_outline_across_180_degrees_is_split_there(geobox: GeoBox):
    found = outline(geobox)
    assert found.geometry["type"] == "MultiPolygon"
    west, south, east, north = found.bbox
    assert 179 < west < 180 and -180 < east < -179
    for polygon in shape(found.geometry).geoms:
        left, bottom, right, top = polygon.bounds
        assert right - left < 1 and south <= bottom < top <= north
        assert right == 180 or left == -180
        assert polygon.exterior.is_ccw
    holds_its_pixels(geobox)


def test_longitudes_beyond_180_are_wrapped():
    found = outline(degrees(190, 48.7))
    assert found.bbox == (-170, 48.6744, -169.9744, 48.7)
    assert found == outline(degrees(-170, 48.7))


@pytest.mark.parametrize(("crs", "pole"), [("EPSG:3413", 90), ("EPSG:3031", -90), ("EPSG:32661", 90)])
def test_an_outline_around_a_pole_extends_to_it(crs: str, pole: int):
    geobox = around(crs, 0, pole, 1000, 512)
    found = outline(geobox)
    west, south, east, north = found.bbox
    assert (west, east) == (-180, 180)
    assert (north if pole > 0 else south) == pole
    assert 86 < abs(south if pole > 0 else north) < 88
    scale = 0.994 if crs == "EPSG:32661" else 0.97
    assert ellipsoidal_km2(found.geometry) == pytest.approx(512**2 / scale**2, rel=0.02)
    holds_its_pixels(geobox)


def test_an_outline_with_the_pole_on_its_corner_or_edge():
    corner = GeoBox((100, 100), Affine(1000, 0, 0, 0, -1000, 0), "EPSG:3413")
    edge = GeoBox((100, 100), Affine(1000, 0, 0, 0, -1000, 50_000), "EPSG:3413")
    area = 100 * 100 / 0.97**2
    for geobox in (corner, edge):
        assert ellipsoidal_km2(outline(geobox).geometry) == pytest.approx(area, rel=0.02)
    assert outline(corner).bbox[3] == 90
    west, _, east, _ = outline(corner).bbox
    assert east - west == pytest.approx(90, abs=1e-6)


def test_grids_around_the_whole_earth():
    for geobox in (degrees(-180, 90, 1, size=(180, 360)), degrees(-0.125, 90.125, 0.25, size=(721, 1440))):
        assert outline(geobox).bbox == (-180, -90, 180, 90)
        assert shape(outline(geobox).geometry).area == 360 * 180


def test_shapes_of_several_grids_have_one_outline_with_holes():
    west, east = degrees(179.9744, -16.5), degrees(-180, -16.5)
    whole = box(0, 0, 256, 256)
    found = outline_of([(west, whole), (east, whole)])
    assert found is not None
    assert found.bbox == (179.9744, -16.5256, -179.9744, -16.5)
    holed = outline_of([(west, whole.difference(box(100, 100, 150, 150)))])
    assert holed is not None and len(holed.geometry["coordinates"]) == 2
    apart = outline_of_windows(west, [Window(0, 0, 10, 10), Window(100, 0, 10, 10)])
    assert apart is not None and apart.geometry["type"] == "MultiPolygon"


def test_a_hole_around_the_pole_stays_a_hole():
    geobox = around("EPSG:3413", 0, 90, 1000, 512)
    found = outline_of([(geobox, box(0, 0, 512, 512).difference(box(200, 200, 312, 312)))])
    assert found is not None
    assert ellipsoidal_km2(found.geometry) == pytest.approx((512**2 - 112**2) / 0.97**2, rel=0.02)
    assert 89 < found.bbox[3] < 89.6 and found.bbox[::2] == (-180, 180)


def test_the_box_is_the_narrowest():
    apart = outline_of([(degrees(left, 10, 0.01), box(0, 0, 100, 100)) for left in (-150, 120)])
    assert apart is not None and apart.bbox[::2] == (120, -149)


def test_an_empty_shape_has_no_outline():
    assert outline_of([]) is None
    assert outline_of_windows(degrees(15, 48), []) is None


def ring(*points: tuple[float, float]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [[*points, points[0]]]}


@pytest.mark.parametrize(
    "geometry",
    [
        ring((179, 10), (-179, 10), (-179, 11), (179, 11)),
        ring((179, 10), (181, 10), (181, 11), (179, 11)),
        ring((-181, 10), (-179, 10), (-179, 11), (-181, 11)),
        ring((179, 11), (-179, 11), (-179, 10), (179, 10)),
        {
            "type": "MultiPolygon",
            "coordinates": [ring((179, 10), (180, 10), (180, 11), (179, 11))["coordinates"]]
            + [ring((-180, 10), (-179, 10), (-179, 11), (-180, 11))["coordinates"]],
        },
        ring((179, 10, 5), (-179, 10, 5), (-179, 11, 5), (179, 11, 5)),
    ],
)
def test_areas_across_the_antimeridian_are_the_same_however_they_are_written(geometry: dict[str, Any]):
    area = area_of(geometry)
    assert area.equals(area_of_box(179, 10, -179, 11))
    assert area.area == pytest.approx(2) and area.bounds[::2] == (-180, 180)


def test_areas_have_holes_and_extend_to_the_pole_that_they_surround():
    hole = [[0.25, 0.25], [0.25, 0.75], [0.75, 0.75], [0.75, 0.25], [0.25, 0.25]]
    square = ring((0, 0), (1, 0), (1, 1), (0, 1))
    assert area_of({**square, "coordinates": [*square["coordinates"], hole]}).area == pytest.approx(0.75)
    cap = area_of(ring((-90, 80), (0, 80), (90, 80), (180, 80)))
    assert cap.equals(box(-180, 80, 180, 90))
    bow_tie = ring((0, 0), (1, 1), (1, 0), (0, 1))
    assert area_of(bow_tie).area == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("geometry", "phrase"),
    [
        ({}, "is not a valid GeoJSON geometry"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}, "is not a valid GeoJSON geometry"),
        ({"type": "Polygon", "coordinates": "0 0"}, "is not a valid GeoJSON geometry"),
        ({"type": "Polygon", "coordinates": []}, "has no area"),
        ({"type": "Point", "coordinates": [1, 2]}, r"has no area \(its type is Point"),
        (ring((0, 0), (1, 0), (2, 0)), "has no area"),
        (ring((0, 0), (6e5, 0), (6e5, 1)), "not longitudes and latitudes"),
        (ring((0, 0), (1, 0), (1, float("nan"))), "not longitudes and latitudes"),
    ],
)
def test_geometries_without_an_area_in_degrees_are_errors(geometry: dict[str, Any], phrase: str):
    with pytest.raises(ValueError, match=phrase):
        area_of(geometry)
