import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox

from clairemap.artefacts.label_counts import read_label_counts
from clairemap.errors import GridError, LabelError
from clairemap.settings import load_settings
from clairemap.stages import BurnLabels, stage_json

GRID = GeoBox((700, 600), Affine(10, 0, 500_000, 0, -10, 5_400_000), "EPSG:32633")
LEGEND = {
    "classes": [
        {"code": 7, "name": "water", "color": "#0000ff", "from": ["See"]},
        {"code": 3, "name": "woods", "color": "#00ff00", "from": ["Wald"]},
    ]
}


def settings(**labels: object) -> str:
    return stage_json(load_settings({"legend": LEGEND, "labels": {"field": "kind", **labels}}), BurnLabels)


@pytest.fixture
def files(tmp_path: Path, made_rasters: ModuleType) -> dict[str, Path]:
    shapes = [shapely.box(500_000, 5_399_000, 501_000, 5_400_000), shapely.box(503_000, 5_393_000, 506_000, 5_394_000)]
    pyogrio.raw.write(
        tmp_path / "fields.gpkg", np.array([shapely.to_wkb(shape) for shape in shapes], object),
        [np.array(["See", "Wald"], object)], np.array(["kind"]), geometry_type="Polygon", crs="EPSG:32633",
    )  # fmt: skip
    optical = made_rasters.write_raster(tmp_path / "optical.tif", np.ones((700, 600), np.uint8), GRID)
    return {"polygons": tmp_path / "fields.gpkg", "optical": optical}


def burn(stage: Callable[[str], Callable[..., Any]], folder: Path, json_settings: str, **files: Any) -> None:  # noqa: ANN401
    stage("burn_labels")(
        scene="west", label=folder / "out" / "label.tif", counts=folder / "out" / "label.json",
        settings=json_settings, **files,
    )  # fmt: skip


def test_the_raster_has_the_codes_of_the_map_and_the_grid_of_the_scene(
    stage: Callable[[str], Callable[..., Any]],
    files: dict[str, Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
):
    with caplog.at_level(logging.INFO):
        burn(stage, tmp_path, settings(), **files, record=tmp_path / "record.json", threads=2)
    with rasterio.open(tmp_path / "out" / "label.tif") as file:
        codes = file.read(1)
        assert (file.nodata, file.crs.to_epsg(), file.transform) == (255, 32633, GRID.transform)
        assert file.tags()["clairemap_stage"] == "burn_labels"
    expected = np.full((700, 600), 255, np.uint8)
    expected[:100, :100] = 7
    expected[600:, 300:] = 3
    assert np.array_equal(codes, expected)
    counts = read_label_counts(tmp_path / "out" / "label.json")
    assert counts.class_px == {7: 10_000, 3: 30_000} and counts.unlabelled_px == 380_000
    assert counts.pixels_sha256 == hashlib.sha256(expected.tobytes()).hexdigest()
    assert "2 of 2 features burnt" in caplog.text
    assert set(json.loads((tmp_path / "record.json").read_text())["files"]) == {"polygons/0/fields.gpkg"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["label.json", "label.tif"]


def test_without_optical_the_grid_is_that_of_sar(
    stage: Callable[[str], Callable[..., Any]], files: dict[str, Path], tmp_path: Path
):
    burn(stage, tmp_path, settings(), polygons=files["polygons"], sar=files["optical"])
    assert (tmp_path / "out" / "label.tif").exists()
    with pytest.raises(GridError, match="neither an optical nor a SAR"):
        burn(stage, tmp_path, settings(), polygons=files["polygons"])


def test_a_value_without_a_class_leaves_no_file(
    stage: Callable[[str], Callable[..., Any]], files: dict[str, Path], tmp_path: Path
):
    only_water = {"classes": [LEGEND["classes"][0], {"code": 3, "name": "woods", "color": "#00ff00"}]}
    text = stage_json(load_settings({"legend": only_water, "labels": {"field": "kind"}}), BurnLabels)
    with pytest.raises(LabelError, match=r"fields.gpkg, layer .*'Wald' of 1 feature\(s\) \(30,000 px\)"):
        burn(stage, tmp_path, text, **files)
    assert not list((tmp_path / "out").iterdir())
