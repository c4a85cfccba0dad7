import datetime
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import jsonschema
import pystac
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from clairemap.artefacts.model_card import ModelCard
from clairemap.artefacts.origin import Origin, RegionAccuracy
from clairemap.artefacts.radiometry_check import RadiometryCheck, SensorVerdict
from clairemap.classes import ColoredClass, ColoredLegend
from clairemap.errors import BundleError
from clairemap.outputs import MapFiles
from clairemap.report.stac import MapSources, map_item
from clairemap.report.stac_model import MappingModel
from clairemap.settings import LegendSettings, SensorsSettings

LEGEND = ColoredLegend(
    classes=(
        ColoredClass(code=1, name="Open water", color="#0010ff"),
        ColoredClass(code=20, name="forêt", color="#10ff00"),
    )
)
FILES = MapFiles(Path("results/region_1/region_1"))
CARD = {
    "stamp": {},
    "network": {"size": "tiny", "fusion": "window", "sensors": "fused"},
    "classes": [{"code": 1, "name": "Open water"}, {"code": 20, "name": "forêt"}],
    "optical_bands": {"names": ["red", "nir"], "mean": [849.5, 2677.1], "std": [386.2, 1018.3]},
    "sar_bands": {"names": ["VV"], "mean": [-11.2], "std": [3.5]},
    "sar_scale": "db",
    "halo_px": 256,
    "halo_sigma": 1e-6,
    "core_bytes_per_px": 69.0,
    "halo_bytes_per_px": 36.0,
    "temperature": 1.1,
    "trained_on": {"scenes": ["a"], "pixels": 9},
    "best_step": 600,
    "weights_sha256": "bf43d0998da68b82aa40a732e04155eb",
}
MODEL = MappingModel(ModelCard.model_validate(CARD), "r.model.json")
STAMP = {"clairemap_version": "0.1.0", "clairemap_commit": "abc", "clairemap_stage": "mosaic_region"}
UTM = GeoBox((500, 700), Affine(10, 0, 500_000, 0, -10, 5_000_000), "EPSG:32633")
DEGREES = GeoBox((512, 512), Affine(9e-5, 0, -7.5, 0, -9e-5, 38.2), "EPSG:4326")
PIXELS = GeoBox((30, 40), Affine.identity(), None)
CUSTOM = GeoBox((30, 40), Affine(10, 0, 0, 0, -10, 0), "+proj=laea +lat_0=45 +lon_0=7.3")


def item(geobox: GeoBox, dates: Sequence[datetime.date] = (), model: MappingModel | None = MODEL):
    return json.loads(map_item(geobox, LEGEND, FILES, MapSources(["a", "b"], dates, model), STAMP))


def test_a_model_from_another_project_is_named_with_its_own_accuracy():
    accuracy = RegionAccuracy(
        region="north", split="test", miou=0.5, oa=0.75, ece=None, pixels=1000, tiles=2, classes=()
    )  # fmt: skip
    origin = Origin(
        weights_sha256=str(CARD["weights_sha256"]),
        legend=LegendSettings(),
        sensors=SensorsSettings(),
        accuracy=(accuracy,),
        labels_product="Dynamic World",
        licence="CC-BY-4.0",
    )
    sources = MapSources(["a"], (), MODEL, labels_product="Dynamic World", origin=origin)
    found = json.loads(map_item(UTM, LEGEND, FILES, sources, STAMP))["properties"]
    given = found["clairemap:given_model"]
    assert (given["name"], given["weights_sha256"]) == ("clairemap-tiny-bf43d0998da6", CARD["weights_sha256"])
    assert given["license"] == "CC-BY-4.0"
    assert given["accuracy"] == [
        {"region": "north", "split": "test", "miou": 0.5, "oa": 0.75, "pixels": 1000, "tiles": 2}
    ]
    assert "not on this map: region north: mIoU 50.0 %, overall accuracy 75.0 %" in found["processing:lineage"]
    assert found["processing:lineage"].count("land-cover product Dynamic World, not ground truth") == 1
    assert "clairemap:given_model" not in item(UTM)["properties"]


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


def test_outline_across_180_degrees_is_split_and_its_box_runs_from_west_to_east():
    across = GeoBox((256, 256), Affine(10, 0, 818_000, 0, -10, 8_173_000), "EPSG:32760")
    found = item(across)
    assert found["geometry"]["type"] == "MultiPolygon"
    west, _, east, _ = found["bbox"]
    assert (round(west, 3), round(east, 3)) == (179.979, -179.997)
    assert all(abs(x) <= 180 for polygon in found["geometry"]["coordinates"] for x, _ in polygon[0])


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


def test_dates_span_the_days_and_unknown_ones_the_widest_range():
    properties = item(UTM, [datetime.date(2026, 5, 3), datetime.date(2025, 4, 1)])["properties"]
    assert properties["datetime"] is None
    assert properties["start_datetime"] == "2025-04-01T00:00:00Z"
    assert properties["end_datetime"] == "2026-05-03T23:59:59Z"
    assert item(UTM)["properties"]["start_datetime"] == "1970-01-01T00:00:00Z"
    assert item(UTM)["properties"]["end_datetime"] == "9999-12-31T23:59:59Z"


def test_assets_are_relative_to_the_item_and_classes_are_listed():
    assets = item(UTM)["assets"]
    assert {key: asset["href"] for key, asset in assets.items()} == {
        "landcover": "./region_1.landcover.tif",
        "confidence": "./region_1.confidence.tif",
        "optical_share": "./region_1.optical_share.tif",
        "source_count": "./region_1.source_count.tif",
        "landcover_style": "./region_1.landcover.qml",
        "confidence_style": "./region_1.confidence.qml",
        "optical_share_style": "./region_1.optical_share.qml",
        "source_count_style": "./region_1.source_count.qml",
        "categories": "./region_1.landcover.tif.aux.xml",
        "table": "./region_1.landcover.tif.vat.dbf",
        "model": "./r.model.json",
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
    assert item(UTM) == item(UTM)
    properties = item(UTM)["properties"]
    assert properties["clairemap:commit"] == "abc"
    assert properties["processing:software"] == {"clairemap": "0.1.0"}


# What the extensions' specifications demand of an item, in our words: their own schemas are on the web only.
TEXT, ARRAY = {"type": "string", "minLength": 1}, {"type": "array", "minItems": 1}
NUMBERS = {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": -1}}
TENSOR = {
    "required": ["shape", "dim_order", "data_type"],
    "properties": {
        "shape": NUMBERS,
        "dim_order": {**ARRAY, "uniqueItems": True, "items": {"type": "string", "pattern": "^[a-z_-]+$"}},
        "data_type": {"const": "float32"},
    },
}
Z_SCORE = {
    "required": ["type", "mean", "stddev"],
    "properties": {"type": {"const": "z-score"}, "mean": {"type": "number"}, "stddev": {"type": "number"}},
}
CLASSES = {
    **ARRAY,
    "items": {
        "required": ["value", "name"],
        "properties": {"value": {"type": "integer"}, "name": {"type": "string", "pattern": "^[0-9A-Za-z_-]+$"}},
    },
}
PROPERTIES = {
    "required": [
        *("mlm:name", "mlm:architecture", "mlm:tasks", "mlm:input", "mlm:output"),
        *("processing:level", "processing:lineage", "processing:software", "proj:shape", "proj:transform"),
    ],
    "properties": {
        "mlm:name": {"type": "string", "pattern": r"^[a-zA-Z][a-zA-Z0-9_.\-\s]+[a-zA-Z0-9]$"},
        "mlm:architecture": TEXT,
        "mlm:tasks": {"const": ["semantic-segmentation"]},
        "mlm:framework": {"const": "PyTorch"},
        "mlm:accelerator": {"type": ["string", "null"]},
        "mlm:input": {
            **ARRAY,
            "items": {
                "required": ["name", "bands", "input"],
                "properties": {"name": TEXT, "bands": {**ARRAY, "items": TEXT}, "input": TENSOR},
            },
        },
        "mlm:output": {
            **ARRAY,
            "items": {
                "required": ["name", "tasks", "result"],
                "properties": {"name": TEXT, "result": TENSOR, "classification:classes": CLASSES},
            },
        },
        "mlm:hyperparameters": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": "^[0-9a-zA-Z_.-]+$"},
        },
        "processing:level": {"type": "string", "pattern": "^(RAW|L[0-4][A-C]?)$"},
        "processing:lineage": TEXT,
        "processing:software": {"type": "object", "additionalProperties": {"type": "string"}},
        "proj:shape": {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "integer"}},
        "proj:transform": {"type": "array", "minItems": 6, "maxItems": 9, "items": {"type": "number"}},
    },
}
ITEM = {
    "required": ["stac_extensions", "properties", "assets"],
    "properties": {
        "properties": PROPERTIES,
        "assets": {
            "required": ["model"],
            "additionalProperties": {"required": ["href", "roles", "type"]},
            "properties": {
                "landcover": {"required": ["raster:bands", "classification:classes"]},
                "model": {
                    "required": ["mlm:artifact_type", "raster:bands"],
                    "properties": {
                        "roles": {"contains": {"const": "mlm:model"}},
                        "mlm:artifact_type": TEXT,
                        "raster:bands": {**ARRAY, "items": {"required": ["name"]}},
                    },
                },
            },
        },
    },
}


@pytest.mark.parametrize("geobox", [UTM, PIXELS, CUSTOM])
def test_item_has_the_fields_that_its_extensions_require(geobox: GeoBox):
    found = item(geobox)
    jsonschema.Draft7Validator(ITEM).validate(found)
    named = {url.split("/")[3] for url in found["stac_extensions"]}
    assert named == {"projection", "raster", "classification", "processing", "mlm"}
    for url in found["stac_extensions"]:
        assert url.startswith("https://stac-extensions.github.io/") and url.endswith("/schema.json")


def test_model_is_that_of_the_card():
    found = item(UTM)
    properties = found["properties"]
    optical, sar = properties["mlm:input"]
    assert (optical["bands"], sar["bands"]) == (["red", "nir"], ["VV"])
    assert optical["value_scaling"][1] == {"type": "z-score", "mean": 2677.1, "stddev": 1018.3}
    jsonschema.Draft7Validator({"items": Z_SCORE}).validate(optical["value_scaling"] + sar["value_scaling"])
    assert optical["input"]["shape"] == [-1, 2, -1, -1]
    assert [known["value"] for known in properties["mlm:output"][0]["classification:classes"]] == [1, 20]
    assert properties["mlm:name"] == "clairemap-tiny-bf43d0998da6"
    asset = found["assets"]["model"]
    assert [band["name"] for band in asset["raster:bands"]] == ["red", "nir", "VV"]
    assert (asset["type"], asset["roles"]) == ("application/json", ["mlm:model", "metadata"])  # the weights stay behind
    assert "scene(s) a, b" in properties["processing:lineage"]


def test_without_a_model_there_are_no_model_fields():
    found = item(UTM, model=None)
    assert "model" not in found["assets"] and not any(
        "mlm" in text for text in (*found["properties"], *found["stac_extensions"])
    )


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"network": {"size": "tiny"}}'])
def test_an_invalid_card_is_an_error(tmp_path: Path, content: str):
    (tmp_path / "model.json").write_text(content)
    with pytest.raises(BundleError, match="model.json: not a valid model card"):
        MappingModel.read(tmp_path / "model.json", "r.model.json")
    (tmp_path / "card.json").write_text(json.dumps(CARD))
    assert MappingModel.read(tmp_path / "card.json", "r.model.json") == MODEL


def test_radiometry_has_remarks_for_scenes_that_differ():
    wrong = SensorVerdict(verdict="mismatch", reason="an offset is left")
    checks = [
        RadiometryCheck(scene="a", sensors={"optical": SensorVerdict(verdict="match", reason="")}),
        RadiometryCheck(scene="b", sensors={"optical": wrong}),
    ]
    sources = MapSources(["a", "b"], radiometry=checks)
    found = json.loads(map_item(UTM, LEGEND, FILES, sources, STAMP))
    assert found["properties"]["clairemap:radiometry"] == {
        "a": {"verdict": "match", "remarks": []},
        "b": {"verdict": "mismatch", "remarks": ["optical: an offset is left"]},
    }
    assert "clairemap:radiometry" not in item(UTM)["properties"]


def test_labels_of_a_product_are_named():
    found = json.loads(map_item(UTM, LEGEND, FILES, MapSources(["a"], labels_product="ESA WorldCover 2021"), STAMP))
    assert found["properties"]["clairemap:labels"] == {"product": "ESA WorldCover 2021", "ground_truth": False}
    assert "product ESA WorldCover 2021, not ground truth" in found["properties"]["processing:lineage"]
    assert "clairemap:labels" not in item(UTM)["properties"]


@pytest.mark.parametrize(
    ("sensors", "bands"), [("fused", "optical and SAR bands"), ("optical", "optical bands"), ("sar", "SAR bands")]
)
def test_the_lineage_names_only_sensors_that_the_network_uses(sensors: str, bands: str):
    network = MODEL.card.network.model_copy(update={"sensors": sensors})
    model = replace(MODEL, card=MODEL.card.model_copy(update={"network": network}))
    lineage = item(UTM, model=model)["properties"]["processing:lineage"]
    assert f"predicted from the {bands} that each scene has, resampled" in lineage
