"""A mosaic with a minimum mapping unit: dissolve_patches and vectorize_map after mosaic_region, then check_maps."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyogrio
import pystac
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scipy import ndimage

from clairemap.artefacts.store_attributes import ProbabilityAttributes
from clairemap.delivery.patches import Patches
from clairemap.errors import GridError, StoreError
from clairemap.inference.probabilities import create_probabilities
from clairemap.metrics.class_areas import map_class_areas
from clairemap.outputs import MapFiles
from clairemap.raster.store import complete_store, open_store
from clairemap.settings import Settings, load_settings
from clairemap.stages import DissolvePatches, MosaicRegion, VectorizeMap, stage_json

Stage = Callable[[str], Callable[..., Any]]
MIN_HA = 0.12
SETTINGS = load_settings({"deliver": {"min_area_ha": MIN_HA, "vector": True}})
LEGEND = SETTINGS.legend
KEPT = ("optical_share", "source_count", "encoding", "model")


def write_scene(folder: Path, name: str, x: float, crs: str | None = "EPSG:32633") -> Path:
    """Write probabilities that vary over some pixels, with a hole."""
    rng = np.random.default_rng(len(name))
    shape = (700, 300)
    scores = ndimage.gaussian_filter(rng.standard_normal((len(LEGEND), *shape)), (0, 2, 2))
    shares = np.exp(3 * scores / scores.std())
    probability = np.round(255 * shares / shares.sum(axis=0)).astype(np.uint8)
    share = np.full(shape, 60, np.uint8)
    share[100:130, 50:90] = 255
    probability[:, share == 255] = 0
    (folder / name).mkdir()
    facts = ProbabilityAttributes(
        scene=name, view="fused", class_names=LEGEND.names, class_codes=LEGEND.codes.tolist(), georeferenced=True
    ).model_dump()
    grid = GeoBox(shape, Affine(10, 0, x, 0, -10, 5_000_000), crs)
    store = create_probabilities(
        folder / name / "part", grid, LEGEND.names, tile_px=128, shard_tiles=2, attributes=facts
    )
    for window in store.shards():
        store.write("probability", window, probability[:, *window.slices])
        store.write("optical_share", window, share[window.slices])
    complete_store(store.path, folder / name / "probabilities.zarr")
    return folder / name / "probabilities.zarr"


def mosaic(stage: Stage, prefix: Path, probabilities: list[Path], settings: Settings = SETTINGS) -> None:
    card = prefix.with_name("card.json")
    stage("mosaic_region")(
        maps=prefix, probabilities=probabilities, card=None, settings=stage_json(settings, MosaicRegion)
    )
    assert not card.exists()


def dissolve(stage: Stage, source: Path, maps: Path, settings: Settings = SETTINGS) -> None:
    stage("dissolve_patches")(source=source, maps=maps, settings=stage_json(settings, DissolvePatches))


@pytest.fixture
def delivered(tmp_path: Path, stage: Stage) -> SimpleNamespace:
    """Return the files before and after dissolving two scenes that overlap by 20 columns."""
    scenes = [write_scene(tmp_path, "a", 500_000), write_scene(tmp_path, "bb", 502_800)]
    before, after = MapFiles(tmp_path / "work" / "alps"), MapFiles(tmp_path / "results" / "alps")
    mosaic(stage, before.prefix, scenes)
    before.model.write_text("{}")
    dissolve(stage, before.prefix, after.prefix)
    return SimpleNamespace(scenes=scenes, before=before, after=after)


def read(path: Path) -> NDArray[np.uint8]:
    with rasterio.open(path) as file:
        return file.read(1)


def small_patches(codes: NDArray[np.uint8]) -> int:
    patches = Patches.of(codes)
    return int((patches.sums()[1:] < 100 * MIN_HA).sum())


def test_small_patches_have_the_class_of_a_neighbour(delivered: SimpleNamespace):
    before, after = read(delivered.before.landcover), read(delivered.after.landcover)
    assert small_patches(before) > 50
    assert small_patches(after) == 0
    changed = before != after
    assert 0.005 < changed.mean() < 0.2
    assert ((after == 255) == (before == 255)).all()
    probability = open_store(delivered.before.probabilities).array("probability")[:]
    of_scene = open_store(delivered.scenes[0]).array("probability")[:]
    assert (probability[..., :280] == of_scene[..., :280]).all()  # the scenes overlap in columns 280 to 299
    of_class = np.take_along_axis(probability, np.searchsorted(LEGEND.codes, after)[None] % len(LEGEND), 0)[0]
    confidence, old = read(delivered.after.confidence), read(delivered.before.confidence)
    assert (confidence[~changed] == old[~changed]).all()
    np.testing.assert_allclose(confidence[changed], of_class[changed] / 2.55, atol=0.51)
    assert (confidence[changed] <= old[changed]).all()


def test_the_other_files_are_those_of_the_mosaic(delivered: SimpleNamespace):
    for name in KEPT:
        assert getattr(delivered.after, name).read_bytes() == getattr(delivered.before, name).read_bytes()
    for one, other in zip(delivered.before.styles.values(), delivered.after.styles.values(), strict=True):
        assert one.read_bytes() == other.read_bytes()
    with rasterio.open(delivered.before.landcover) as one, rasterio.open(delivered.after.landcover) as other:
        assert one.colormap(1) == other.colormap(1) and one.tags(1) == other.tags(1)
        assert other.tags()["min_area_ha"] == "0.12" and other.tags()["clairemap_stage"] == "dissolve_patches"
    assert delivered.after.table.read_bytes() != delivered.before.table.read_bytes()  # pixels of each class


def test_the_maps_pass_the_check(delivered: SimpleNamespace, stage: Stage):
    stage("check_maps")(
        probabilities=delivered.scenes,
        maps=delivered.after.prefix,
        check=delivered.after.check,
        settings=stage_json(SETTINGS, MosaicRegion),
    )
    found = json.loads(delivered.after.check.read_text())
    counts = np.bincount(read(delivered.after.landcover).ravel(), minlength=256)
    assert found["maps"]["landcover"]["pixels"] == {str(v): int(counts[v]) for v in np.flatnonzero(counts)}


def test_the_item_lists_polygons_and_minimum_area(delivered: SimpleNamespace):
    item = pystac.Item.from_file(delivered.after.item)
    assert item.properties["clairemap:min_area_ha"] == MIN_HA
    assert "smaller than 0.12 ha" in item.properties["processing:lineage"]
    assert item.assets["polygons"].href.endswith("/alps.landcover.gpkg")
    assert item.assets["landcover"].href.endswith("/alps.landcover.tif")
    assert "polygons" not in pystac.Item.from_file(delivered.before.item).assets


def test_polygons_have_the_areas_of_the_map(delivered: SimpleNamespace, stage: Stage):
    stage("vectorize_map")(maps=delivered.after.prefix, settings=stage_json(SETTINGS, VectorizeMap))
    meta, _, _, columns = pyogrio.raw.read(delivered.after.polygons, layer="landcover")
    found = dict(zip(meta["fields"], columns, strict=True))
    expected = map_class_areas(delivered.after.landcover, LEGEND)
    for c, m2 in zip(LEGEND.classes, expected.m2, strict=True):
        assert found["area_ha"][found["name"] == c.name].sum() == pytest.approx(m2 / 10_000)
    assert found["area_ha"].min() >= MIN_HA
    confidence = read(delivered.after.confidence)
    mean = np.average(found["confidence"], weights=found["area_ha"])
    assert mean == pytest.approx(confidence[confidence != 255].mean(), abs=0.01)


def test_without_a_minimum_area_only_the_item_names_the_polygons(tmp_path: Path, stage: Stage):
    scene = write_scene(tmp_path, "a", 500_000)
    plain, vector = load_settings({}), load_settings({"deliver": {"vector": True}})
    mosaic(stage, tmp_path / "one" / "alps", [scene], plain)
    mosaic(stage, tmp_path / "other" / "alps", [scene], vector)
    one, other = MapFiles(tmp_path / "one" / "alps"), MapFiles(tmp_path / "other" / "alps")
    assert not one.probabilities.exists() and not other.probabilities.exists()
    assert "polygons" not in pystac.Item.from_file(one.item).assets
    assert "polygons" in pystac.Item.from_file(other.item).assets
    assert (read(one.landcover) == read(other.landcover)).all()


def test_without_a_crs_areas_are_unknown(tmp_path: Path, stage: Stage):
    mosaic(stage, tmp_path / "work" / "alps", [write_scene(tmp_path, "a", 0, None)])
    MapFiles(tmp_path / "work" / "alps").model.write_text("{}")
    with pytest.raises(GridError, match="min_area_ha is 0.12, but the area of pixels is unknown"):
        dissolve(stage, tmp_path / "work" / "alps", tmp_path / "results" / "alps")
    assert not (tmp_path / "results" / "alps.landcover.tif").exists()


def test_a_damaged_map_is_an_error_and_leaves_nothing(delivered: SimpleNamespace, stage: Stage):
    content = bytearray(delivered.after.confidence.read_bytes())
    content[-len(content) // 3 :] = bytes(len(content) - len(content) * 2 // 3)
    delivered.after.confidence.write_bytes(content)
    with pytest.raises(StoreError, match=r"alps\.confidence\.tif: cannot be read at rows"):
        stage("vectorize_map")(maps=delivered.after.prefix, settings=stage_json(SETTINGS, VectorizeMap))
    assert not list(delivered.after.prefix.parent.glob("*gpkg*"))
