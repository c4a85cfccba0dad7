import datetime
import json
from collections.abc import Sequence

import pystac
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from clairemap.classes import LandCoverClass, Legend
from clairemap.report.stac import MapFiles, map_item

LEGEND = Legend((LandCoverClass(1, "Open water", "#0010ff"), LandCoverClass(20, "forêt", "#10ff00")))
FILES = MapFiles("r.landcover.tif", "r.confidence.tif", "r.optical_share.tif", "r.landcover.tif.aux.xml", "r.qml")
STAMP = {"clairemap_version": "0.1.0", "clairemap_commit": "abc", "clairemap_stage": "mosaic_region"}
UTM = GeoBox((500, 700), Affine(10, 0, 500_000, 0, -10, 5_000_000), "EPSG:32633")
DEGREES = GeoBox((512, 512), Affine(9e-5, 0, -7.5, 0, -9e-5, 38.2), "EPSG:4326")
PIXELS = GeoBox((30, 40), Affine.identity(), None)
CUSTOM = GeoBox((30, 40), Affine(10, 0, 0, 0, -10, 0), "+proj=laea +lat_0=45 +lon_0=7.3")


def item(geobox: GeoBox, dates: Sequence[datetime.date] = ()):
    return json.loads(map_item("region_1", geobox, LEGEND, FILES, dates, STAMP))


@pytest.mark.parametrize("geobox", [UTM, DEGREES, PIXELS, CUSTOM])
@pytest.mark.parametrize("dates", [(), (datetime.date(2026, 5, 1),)])
def test_item_fulfils_the_core_schema(geobox: GeoBox, dates: Sequence[datetime.date]):
    parsed = pystac.Item.from_dict(item(geobox, dates))
    parsed.stac_extensions = []  # their schemas are on the web only
    assert parsed.validate()


def test_outline_in_degrees():
    found = item(UTM)
    west, south, east, north = found["bbox"]
    assert (west, round(east, 3)) == (15.0, 15.089) and (round(south, 3), round(north, 3)) == (45.108, 45.153)
    ring = found["geometry"]["coordinates"][0]
    assert ring[0] == ring[-1] and 5 <= len(ring) < 80
    assert item(DEGREES)["bbox"] == [-7.5, 38.15392, -7.45392, 38.2]


def test_grid_is_described():
    properties = item(UTM)["properties"]
    assert properties["proj:code"] == "EPSG:32633"
    assert properties["proj:shape"] == [500, 700]
    assert properties["proj:transform"] == [10, 0, 500_000, 0, -10, 5_000_000]
    assert item(CUSTOM)["properties"]["proj:wkt2"].startswith("PROJCRS")


def test_map_without_crs_has_no_geometry():
    found = item(PIXELS)
    assert found["geometry"] is None and "bbox" not in found
    assert found["properties"]["proj:code"] is None and found["properties"]["proj:shape"] == [30, 40]
    assert "spatial_resolution" not in found["assets"]["landcover"]["raster:bands"][0]


def test_dates_span_the_days_and_unknown_ones_claim_nothing():
    properties = item(UTM, [datetime.date(2026, 5, 3), datetime.date(2025, 4, 1)])["properties"]
    assert properties["datetime"] is None
    assert properties["start_datetime"] == "2025-04-01T00:00:00Z"
    assert properties["end_datetime"] == "2026-05-03T23:59:59Z"
    assert item(UTM)["properties"]["start_datetime"] == "1970-01-01T00:00:00Z"
    assert item(UTM)["properties"]["end_datetime"] == "9999-12-31T23:59:59Z"


def test_assets_lie_beside_the_item_and_classes_are_listed():
    assets = item(UTM)["assets"]
    assert {key: asset["href"] for key, asset in assets.items()} == {
        "landcover": "./r.landcover.tif",
        "confidence": "./r.confidence.tif",
        "optical_share": "./r.optical_share.tif",
        "style": "./r.qml",
        "categories": "./r.landcover.tif.aux.xml",
    }
    assert assets["landcover"]["type"] == "image/tiff; application=geotiff; profile=cloud-optimized"
    assert assets["landcover"]["roles"] == ["data"]
    assert assets["confidence"]["raster:bands"] == [
        {"nodata": 255, "data_type": "uint8", "spatial_resolution": 10.0, "unit": "%"}
    ]
    classes = assets["landcover"]["classification:classes"]
    assert [(c["value"], c["title"], c["color_hint"]) for c in classes] == [
        (1, "Open water", "0010FF"),
        (20, "forêt", "10FF00"),
    ]
    assert [c["name"] for c in classes] == ["Open_water", "for_t"]


def test_equal_arguments_give_equal_texts_with_the_stamp():
    assert map_item("a", UTM, LEGEND, FILES, (), STAMP) == map_item("a", UTM, LEGEND, FILES, (), STAMP)
    properties = item(UTM)["properties"]
    assert properties["clairemap:commit"] == "abc"
    assert properties["processing:software"] == {"clairemap": "0.1.0"}
