"""Maps written by mosaic_region pass; a map that is changed afterwards fails."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox

from clairemap.artefacts.store_attributes import ProbabilityAttributes
from clairemap.errors import MapCheckError
from clairemap.inference.probabilities import create_probabilities
from clairemap.raster.store import complete_store
from clairemap.settings import load_settings
from clairemap.stages import MosaicRegion, stage_json

SETTINGS = load_settings({})
LEGEND = SETTINGS.legend
MAPS = ("landcover", "confidence", "optical_share", "source_count")
Check = Callable[[], dict[str, Any]]


def write_scene(folder: Path, name: str, x: float, crs: str, valid: bool) -> Path:
    (folder / name).mkdir()
    rng = np.random.default_rng(len(name))
    facts = ProbabilityAttributes(
        scene=name, view="fused", class_names=LEGEND.names, class_codes=LEGEND.codes.tolist(), georeferenced=True
    ).model_dump()
    grid = GeoBox((560, 300), Affine(10, 0, x, 0, -10, 5_000_000), crs)
    store = create_probabilities(
        folder / name / "part", grid, LEGEND.names, tile_px=128, shard_tiles=2, attributes=facts
    )
    for window in store.shards() if valid else ():
        share = rng.choice(np.array([0, 60, 255], np.uint8), window.shape)
        probability = 255 * rng.dirichlet([0.3] * len(LEGEND), window.shape).transpose(2, 0, 1) * (share != 255)
        store.write("probability", window, np.round(probability).astype(np.uint8))
        store.write("optical_share", window, share)
    target = folder / name / "probabilities.zarr"
    complete_store(store.path, target)
    return target


@pytest.fixture
def mapped(tmp_path: Path, stage: Callable[[str], Callable[..., Any]]) -> Callable[..., Check]:
    """Return ``mapped(valid)``, which writes maps of scenes in two UTM zones and returns a function to check them."""

    def make(valid: bool = True) -> Check:
        scenes = [
            write_scene(tmp_path, "a", 500_000, "EPSG:32633", valid),
            write_scene(tmp_path, "bb", 32_000, "EPSG:32634", valid),
        ]
        shared = {
            "maps": tmp_path / "alps",
            "probabilities": scenes,
            "settings": stage_json(SETTINGS, MosaicRegion),
        }
        stage("mosaic_region")(**shared)

        def check() -> dict[str, Any]:
            stage("check_maps")(**shared, check=tmp_path / "alps.check.json")
            return json.loads((tmp_path / "alps.check.json").read_text())

        return check

    return make


def test_maps_of_scenes_in_two_crs_pass(mapped: Callable[..., Check], tmp_path: Path):
    facts = mapped()()
    with rasterio.open(tmp_path / "alps.landcover.tif") as dataset:
        landcover = dataset.read(1)
    assert (facts["height"], facts["width"]) == landcover.shape
    counted = {int(code): pixels for code, pixels in facts["maps"]["landcover"]["pixels"].items()}
    assert counted == {int(code): int((landcover == code).sum()) for code in np.unique(landcover)}
    assert {*facts["maps"]} == {*MAPS} and set(facts["maps"]["source_count"]["pixels"]) <= {"1", "2", "255"}


def test_empty_maps_pass(mapped: Callable[..., Check]):
    facts = mapped(valid=False)()
    assert {name: [*found["pixels"]] for name, found in facts["maps"].items()} == {name: ["255"] for name in MAPS}


@pytest.mark.parametrize(("name", "value"), [("landcover", 99), ("optical_share", 101), ("source_count", 3)])
def test_an_invalid_value_is_an_error(mapped: Callable[..., Check], tmp_path: Path, name: str, value: int):
    check = mapped()
    with rasterio.open(tmp_path / f"alps.{name}.tif") as dataset:
        values, profile = dataset.read(1), dataset.profile
    values[np.unravel_index(np.argmax(values != 255), values.shape)] = value
    with rasterio.open(tmp_path / "again.tif", "w", **{**profile, "driver": "COG"}) as dataset:
        dataset.write(values, 1)
    (tmp_path / "again.tif").replace(tmp_path / f"alps.{name}.tif")
    with pytest.raises(MapCheckError, match=rf"alps.{name}.tif: .*\[{value}\]"):
        check()
    assert not (tmp_path / "alps.check.json").exists()
