import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import dask.array
import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox

import clairemap
from clairemap.artefacts.scene_sources import PixelGrid, ResolvedRole, SceneSources, SourceFacts, write_scene_sources
from clairemap.artefacts.store_attributes import PairAttributes, ProbabilityAttributes
from clairemap.classes import ColoredLegend
from clairemap.errors import ClairemapError, GridError, MissingFileError, StoreError, UnreadableFileError
from clairemap.grid.window import Window
from clairemap.inference.probabilities import create_probabilities
from clairemap.provenance import stage_definitions
from clairemap.raster.cog import CogWriter
from clairemap.raster.store import Layer, complete_store, create_store
from clairemap.report.layers import confidence_layer, landcover_layer
from clairemap.results import CHUNK_BYTES, chunk_px
from clairemap.validity import Validity

PROJECT = Path(__file__).parents[2]
LEGEND = ColoredLegend.model_validate(
    {
        "classes": [
            {"code": 30, "name": "woods", "color": "#1f6f3a"},
            {"code": 10, "name": "Wasser und Eis", "color": "#3b7dd8"},
            {"code": 20, "name": "поля", "color": "#E8c95a"},
        ]
    }
)
CODES = LEGEND.codes.tolist()
NORTH_UP = Affine(10, 0, 500_000, 0, -10, 4_000_000)
SOUTH_UP = Affine(10, 0, 500_000, 0, 10, 4_000_000)
ROTATED = Affine(8, 6, 500_000, 6, -8, 4_000_000)
SHAPE = (70, 100)
STAMP = {"clairemap_version": "9"}


@pytest.fixture
def made(tmp_path: Path):
    """Return a function that writes a pair of random values and returns its path and arrays."""

    def make(transform: Affine = NORTH_UP, crs: str | None = "EPSG:32633", codes: tuple[int, ...] = tuple(CODES)):
        rng = np.random.default_rng(1)
        layers = {
            "optical": rng.integers(0, 9000, (2, *SHAPE)).astype(np.uint16),
            "sar": rng.normal(-12, 3, (1, *SHAPE)).astype(np.float32),
            "label": rng.choice([0, 1, 2, 255], SHAPE).astype(np.uint8),
            "validity": rng.integers(0, 64, SHAPE).astype(np.uint8),
        }
        attributes = PairAttributes(
            scene="lake",
            sar_scale="db",
            registration="good",
            sources={"sar": "s1.tif"},
            georeferenced=crs is not None,
            class_codes=codes,
        )
        store = create_store(
            tmp_path / "part",
            GeoBox(SHAPE, transform, crs),
            [
                Layer("optical", "uint16", ("red", "nir")),
                Layer("sar", "float32", ("VV",), fill=float("nan")),
                Layer("label", "uint8", fill=255, nodata=255),
                Layer("validity", "uint8"),
            ],
            tile_px=16,
            shard_tiles=2,
            attributes={**attributes.model_dump(mode="json"), **STAMP},
        )
        for window in store.shards():
            for name, values in layers.items():
                store.write(name, window, values[..., *window.slices])
        complete_store(store.path, tmp_path / "pair.zarr")
        return tmp_path / "pair.zarr", layers

    return make


@pytest.fixture
def probabilities(tmp_path: Path):
    """Return the path of a store of probabilities, and its arrays; the first rows are not mapped."""
    stored = np.random.default_rng(2).integers(0, 256, (3, *SHAPE)).astype(np.uint8)
    share = np.full(SHAPE, 60, np.uint8)
    share[:10], stored[:, :10] = 255, 0
    attributes = ProbabilityAttributes(
        scene="lake", view="fused", class_names=("old", "b", "c"), class_codes=CODES, georeferenced=True
    )
    store = create_probabilities(
        tmp_path / "part2",
        GeoBox(SHAPE, NORTH_UP, "EPSG:32633"),
        attributes.class_names,
        tile_px=16,
        shard_tiles=2,
        attributes=attributes.model_dump(mode="json"),
    )
    for window in store.shards():
        store.write("probability", window, stored[:, *window.slices])
        store.write("optical_share", window, share[window.slices])
    complete_store(store.path, tmp_path / "probabilities.zarr")
    return tmp_path / "probabilities.zarr", stored


@pytest.fixture
def landcover(tmp_path: Path):
    """Return a function that writes a map with a confidence beside it, and returns the land cover's path."""

    def make(transform: Affine = NORTH_UP, legend: ColoredLegend = LEGEND, confidence: Affine | None = None) -> Path:
        codes = np.random.default_rng(3).choice([*legend.codes.tolist(), 255], SHAPE).astype(np.uint8)
        layers = {
            "landcover": (landcover_layer(legend, STAMP), codes, transform),
            "confidence": (confidence_layer(STAMP), np.where(codes == 255, 255, 80), confidence or transform),
        }
        for key, (layer, values, grid) in layers.items():
            with CogWriter(tmp_path / f"a.{key}.tif", GeoBox(SHAPE, grid, "EPSG:32633"), layer) as writer:
                writer.write(Window(0, 0, *SHAPE), values.astype(np.uint8))
        return tmp_path / "a.landcover.tif"

    return make


def test_importing_the_package_imports_nothing_else():
    code = (
        "import sys, clairemap; assert 'open_map' in clairemap.__all__\n"
        "loaded = {'xarray', 'rioxarray', 'dask', 'numpy', 'torch', 'rasterio', 'zarr'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
        "clairemap.open_map; assert 'torch' not in sys.modules and 'xarray' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="open_nothing"):
        _ = clairemap.open_nothing


def test_no_stage_depends_on_it():
    for script in ("tile_scene", "mosaic_region"):
        names = stage_definitions(PROJECT / "workflow" / "scripts" / f"{script}.py")
        assert not [name for name in names if name.startswith("clairemap.results.")]


def test_a_pair_has_the_stored_values_with_names(made: Callable[..., Any]):
    path, layers = made()
    pair = clairemap.open_pair(str(path))
    assert all(isinstance(variable.data, dask.array.Array) for variable in pair.data_vars.values())
    assert pair.optical.dims == ("optical_band", "y", "x") and pair.optical.dtype == np.uint16
    assert np.array_equal(pair.optical.sel(optical_band="nir"), layers["optical"][1])
    assert np.array_equal(pair.sar.sel(sar_band="VV"), layers["sar"][0])
    codes = np.array([*CODES, *[np.nan] * 253], np.float32)
    assert np.array_equal(pair.label, codes[layers["label"]], equal_nan=True)
    assert pair.label.attrs["flag_values"].tolist() == [10, 20, 30] and "class_names" not in pair.label.attrs
    expected = {"scene": "lake", "sar_scale": "db", "registration": "good", "source_sar": "s1.tif", **STAMP}
    assert expected.items() <= pair.attrs.items()


def test_days_of_scenes_come_from_the_record_of_their_products(
    made: Callable[..., Any], probabilities: tuple[Path, Any]
) -> None:
    path, _ = made()
    grid = PixelGrid(crs=None, transform=(1, 0, 0, 0, -1, 0), height=1, width=1)
    roles = {
        name: ResolvedRole(
            reader="sentinel2", cell=name, grid=grid, bands=(), resampling="nearest", nodata_in_any=False, facts=facts
        )
        for name, facts in {"optical": SourceFacts(acquired="2026-05-12"), "sar": SourceFacts()}.items()
    }
    record = SceneSources(scene="lake", roles=roles)
    write_scene_sources(path.with_name("sources.json"), record)
    pair = clairemap.open_pair(path)
    assert pair.attrs["optical_date"] == "2026-05-12" and "sar_date" not in pair.attrs
    below = path.parent / "fused"
    below.mkdir()
    for each in ("probabilities.zarr", "probabilities.json"):
        probabilities[0].with_name(each).rename(below / each)
    assert clairemap.open_probabilities(below / "probabilities.zarr").attrs["optical_date"] == "2026-05-12"
    write_scene_sources(path.with_name("sources.json"), record.model_copy(update={"scene": "other"}))
    assert "optical_date" not in clairemap.open_pair(path).attrs


def test_each_flag_of_validity_is_a_boolean_variable(made: Callable[..., Any]):
    path, layers = made()
    pair = clairemap.open_pair(path)
    assert np.array_equal(pair.validity, layers["validity"])
    assert pair.validity.attrs["flag_meanings"].split()[2] == "cloud"
    for flag in Validity:
        layer = pair[flag.name.lower()]
        assert layer.dtype == bool and np.array_equal(layer, layers["validity"] & flag.value > 0)


@pytest.mark.parametrize("transform", [NORTH_UP, SOUTH_UP, ROTATED, Affine.identity()])
@pytest.mark.parametrize("crs", ["EPSG:32633", None])
def test_rioxarray_reads_the_grid_of_every_variable(made: Callable[..., Any], transform: Affine, crs: str | None):
    pair = clairemap.open_pair(made(transform, crs)[0])
    for name in pair.data_vars:
        assert pair[name].rio.transform() == transform, name
        assert (pair[name].rio.crs is None) if crs is None else (pair[name].rio.crs.to_epsg() == 32633)
    part = pair.optical.rio.isel_window(rasterio.windows.Window(20, 10, 30, 30))
    assert part.rio.transform() @ (0, 0) == transform @ (20, 10)


@pytest.mark.parametrize("transform", [NORTH_UP, SOUTH_UP, ROTATED])
def test_a_map_has_the_grid_and_the_codes(landcover: Callable[..., Path], transform: Affine):
    path = landcover(transform)
    maps = clairemap.open_map(path)
    with rasterio.open(path) as dataset:
        stored = dataset.read(1)
    assert maps.landcover.rio.transform() == transform and maps.rio.crs.to_epsg() == 32633
    assert np.array_equal(maps.landcover, np.where(stored == 255, np.nan, stored), equal_nan=True)
    assert np.array_equal(maps.confidence, np.where(stored == 255, np.nan, 80), equal_nan=True)
    assert list(maps.data_vars) == ["landcover", "confidence"]
    assert maps.confidence.attrs["units"] == "%" and maps.attrs == STAMP
    assert all(isinstance(variable.data, dask.array.Array) for variable in maps.data_vars.values())


def test_a_map_has_its_classes_by_code(landcover: Callable[..., Path]):
    attributes = clairemap.open_map(landcover()).landcover.attrs
    assert attributes["flag_values"].tolist() == [10, 20, 30] and attributes["flag_values"].dtype == np.uint8
    assert attributes["flag_meanings"] == "Wasser_und_Eis class_20 woods"
    assert attributes["flag_colors"] == "#3b7dd8 #e8c95a #1f6f3a"
    assert attributes["class_names"] == ["Wasser und Eis", "поля", "woods"]


def test_codes_are_written_as_bytes_with_nodata(landcover: Callable[..., Path], made: Callable[..., Any]):
    path = landcover()
    for layer in (clairemap.open_map(path).landcover, clairemap.open_pair(made()[0]).label):
        layer.rio.to_raster(path.with_name("copy.tif"))
        with rasterio.open(path.with_name("copy.tif")) as copy:
            assert copy.dtypes == ("uint8",) and copy.nodata == 255
            assert set(np.unique(copy.read(1))) == {10, 20, 30, 255}


def test_days_and_model_of_a_map_come_from_its_item(landcover: Callable[..., Path]):
    path = landcover()
    item = path.with_name("a.item.json")
    item.write_text('{"properties": {"start_datetime": "2026-05-12T00:00:00Z", "mlm:name": "m", "datetime": null}}')
    assert clairemap.open_map(path).attrs == {"start_date": "2026-05-12", "model": "m", **STAMP}
    item.write_text("{")
    with pytest.raises(UnreadableFileError, match="STAC item"):
        clairemap.open_map(path)


def test_a_renamed_map_opens_alone(landcover: Callable[..., Path]):
    path = landcover()
    assert list(clairemap.open_map(path.rename(path.with_name("other.tif"))).data_vars) == ["landcover"]


def test_probabilities_are_numbers_from_0_to_1(probabilities: tuple[Path, Any], landcover: Callable[..., Path]):
    path, stored = probabilities
    scene = clairemap.open_probabilities(path)
    assert scene.probability.dims == ("class_name", "y", "x") and scene.probability.dtype == np.float32
    assert np.allclose(scene.probability[:, 10:], stored[:, 10:] / 255, atol=1e-7)
    for missing in (scene.probability[:, :10], scene.optical_share[:10]):
        assert missing.isnull().all()
    assert not scene.mapped[:10].any() and scene.mapped[10:].all() and (scene.optical_share[10:] == 60).all()
    assert scene.class_name.values.tolist() == ["old", "b", "c"] and scene.class_code.values.tolist() == CODES
    named = clairemap.open_probabilities(path, legend_of=landcover())
    assert named.class_name.values.tolist() == list(LEGEND.names)
    assert named.class_color.values.tolist() == ["#1f6f3a", "#3b7dd8", "#e8c95a"]
    assert np.allclose(named.probability.sel(class_name="woods")[10:], stored[0, 10:] / 255, atol=1e-7)
    for layer in (scene.probability, scene.optical_share, scene.mapped):
        assert layer.rio.transform() == NORTH_UP and layer.rio.crs.to_epsg() == 32633


def test_names_and_colours_of_labels_come_from_a_map(made: Callable[..., Any], landcover: Callable[..., Path]):
    label = clairemap.open_pair(made()[0], legend_of=landcover()).label
    assert label.attrs["class_names"] == ["Wasser und Eis", "поля", "woods"]


@pytest.mark.parametrize(
    ("tile_px", "shard_px", "bytes_per_px", "tiles"),
    [(512, 2048, 4, 4), (512, 2048, 28, 2), (512, 512, 400, 1), (512, 512 * 6, 28, 3), (16, 32, 4, 2)],
)
def test_chunks_are_tiles_that_divide_a_shard(tile_px: int, shard_px: int, bytes_per_px: int, tiles: int):
    assert chunk_px(tile_px, shard_px, bytes_per_px) == tiles * tile_px
    assert tiles == 1 or (tiles * tile_px) ** 2 * bytes_per_px <= CHUNK_BYTES


def test_chunks_of_a_pair_are_its_shards(made: Callable[..., Any]):
    assert clairemap.open_pair(made()[0]).optical.chunks == ((2,), (32, 32, 6), (32, 32, 32, 4))


def test_incomplete_stores_are_errors(made: Callable[..., Any]):
    path, _ = made()
    next(file for file in sorted((path / "sar").rglob("*")) if file.is_file() and file.name != "zarr.json").unlink()
    with pytest.raises(StoreError, match="'sar' has"):
        clairemap.open_pair(path)
    path.with_suffix(".json").unlink()
    with pytest.raises(StoreError, match="copied without its manifest"):
        clairemap.open_pair(path)


def test_stores_of_another_kind_are_errors_that_do_not_advise_to_delete_them(
    made: Callable[..., Any], probabilities: tuple[Path, Any], landcover: Callable[..., Path]
):
    pair, path, tif = made()[0], probabilities[0], landcover()
    for open_it, wrong in (
        (clairemap.open_pair, path),
        (clairemap.open_probabilities, pair),
        (clairemap.open_pair, tif),
        (clairemap.open_pair, pair.parent),
    ):
        with pytest.raises(StoreError, match=r"is not a \w+ store") as caught:
            open_it(wrong)
        assert "delete" not in str(caught.value)


def test_missing_files_are_errors(tmp_path: Path, made: Callable[..., Any]):
    for open_it in (clairemap.open_map, clairemap.open_pair, clairemap.open_probabilities):
        with pytest.raises(MissingFileError, match=r"none\.tif"):
            open_it(tmp_path / "none.tif")
    with pytest.raises(MissingFileError, match=r"none\.tif"):
        clairemap.open_pair(made()[0], legend_of=tmp_path / "none.tif")


def test_a_store_of_an_earlier_version_is_an_error(made: Callable[..., Any]):
    with pytest.raises(StoreError, match="earlier version"):
        clairemap.open_pair(made(codes=())[0])


def test_a_map_with_other_classes_is_an_error(
    made: Callable[..., Any], probabilities: tuple[Path, Any], landcover: Callable[..., Path]
):
    other = landcover(legend=LEGEND.model_copy(update={"classes": LEGEND.classes[:2]}))
    for open_it, path in ((clairemap.open_pair, made()[0]), (clairemap.open_probabilities, probabilities[0])):
        with pytest.raises(StoreError, match=r"\[10, 20, 30\].* has \[10, 30\]"):
            open_it(path, legend_of=other)


def test_other_rasters_and_damaged_maps_are_errors(landcover: Callable[..., Path]):
    path = landcover()
    with pytest.raises(UnreadableFileError, match="not a land-cover map"):
        clairemap.open_map(path.with_name("a.confidence.tif"))
    clairemap.open_map(path).landcover.rio.to_raster(path.with_name("b.tif"))
    with rasterio.open(path.with_name("b.tif"), "r+") as copy:
        copy.update_tags(1, class_10="ice")
    with pytest.raises(UnreadableFileError, match=r"b\.tif: has no colour table"):
        clairemap.open_map(path.with_name("b.tif"))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ClairemapError, match=r"a\.landcover\.tif"):
        clairemap.open_map(path)


def test_maps_of_different_runs_are_an_error(landcover: Callable[..., Path]):
    with pytest.raises(GridError, match=r"a\.confidence\.tif: has another grid than a\.landcover\.tif"):
        clairemap.open_map(landcover(confidence=SOUTH_UP))


def test_made_pairs_open(tmp_path: Path, made_pairs: ModuleType):
    scene = made_pairs.make_scene(tmp_path, "lake")
    pair = clairemap.open_pair(scene.pair)
    assert np.array_equal(pair.cloud, scene.validity & made_pairs.CLOUD > 0)
