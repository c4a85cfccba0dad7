import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rioxarray  # noqa: F401 - registers the accessor .rio
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from clairemap.errors import DiskFullError, StoreError
from clairemap.grid.window import Window
from clairemap.provenance import stamp
from clairemap.raster.store import GridStore, Layer, check_store, complete_store, create_store, open_store

GRID = GeoBox((70, 100), Affine(10, 0, 500_000, 0, -10, 5_300_000), "EPSG:32633")
LAYERS = [Layer("sar", "float32", ("VV", "VH"), fill=float("nan")), Layer("label", "uint8", fill=255, nodata=255)]
SAR = np.random.default_rng(0).normal(-12, 3, (2, 70, 100)).astype(np.float32)
LABEL = np.random.default_rng(1).integers(0, 7, (70, 100)).astype(np.uint8)


def written(path: Path, grid: GeoBox = GRID) -> GridStore:
    store = create_store(path, grid, LAYERS, tile_px=16, shard_tiles=2, attributes={"scene": "alps"})
    for window in store.shards():
        store.write("sar", window, SAR[:, *window.slices])
        store.write("label", window, LABEL[window.slices])
    return store


def completed(folder: Path) -> tuple[Path, Path]:
    written(folder / "part")
    complete_store(folder / "part", folder / "pair.zarr")
    return folder / "pair.zarr", folder / "pair.json"


def test_values_written_by_shards_can_be_read_in_any_window(tmp_path: Path) -> None:
    store = check_store(*completed(tmp_path))
    assert store.shape == (70, 100) and store.tile_px == 16 and store.shard_px == 32
    assert store.geobox == GRID and store.attributes["scene"] == "alps"
    assert store.bands("sar") == ("VV", "VH") and store.bands("label") == ()
    window = Window(13, 27, 41, 50)
    assert np.array_equal(store.read("sar", window), SAR[:, *window.slices])
    assert np.array_equal(store.read("label", window), LABEL[window.slices])


def test_a_full_disk_is_named_with_the_array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    store = create_store(tmp_path / "s", GRID, LAYERS, tile_px=16, shard_tiles=2, attributes={})
    monkeypatch.setattr("zarr.Array.__setitem__", full)
    with pytest.raises(DiskFullError, match=f"{tmp_path}/s/sar: no space left on "):
        store.write("sar", Window(0, 0, 5, 5), SAR[:, :5, :5])


def test_shards_cover_the_grid_once(tmp_path: Path) -> None:
    count = np.zeros((70, 100), np.int64)
    for window in written(tmp_path / "s").shards():
        count[window.slices] += 1
    assert (count == 1).all()


def test_unwritten_pixels_have_the_fill_value(tmp_path: Path) -> None:
    store = create_store(tmp_path / "s", GRID, LAYERS, tile_px=16, shard_tiles=2, attributes={})
    assert np.isnan(store.read("sar", Window(0, 0, 5, 5))).all()
    assert (store.read("label", Window(60, 90, 10, 10)) == 255).all()


def test_shards_are_not_larger_than_a_small_scene(tmp_path: Path) -> None:
    store = create_store(tmp_path / "s", GRID, LAYERS, tile_px=128, shard_tiles=8, attributes={})
    assert store.shard_px == 128


@pytest.mark.parametrize(
    ("window", "shape"),
    [(Window(60, 0, 20, 10), (20, 10)), (Window(0, 0, 10, 10), (10, 9)), (Window(-1, 0, 2, 2), (2, 2))],
)
def test_blocks_that_do_not_fit_are_errors(tmp_path: Path, window: Window, shape: tuple[int, int]) -> None:
    store = create_store(tmp_path / "s", GRID, LAYERS, tile_px=16, shard_tiles=2, attributes={})
    with pytest.raises(StoreError):
        store.write("label", window, np.zeros(shape, np.uint8))


def test_windows_beyond_the_grid_and_unknown_arrays_are_errors(tmp_path: Path) -> None:
    store = written(tmp_path / "s")
    with pytest.raises(StoreError, match="beyond the grid"):
        store.read("label", Window(60, 90, 20, 20))
    with pytest.raises(StoreError, match="optical"):
        store.read("optical", Window(0, 0, 1, 1))


@pytest.mark.parametrize(
    "grid", [GeoBox((70, 100), Affine.identity(), None), GeoBox((70, 100), Affine(3, 4, 0, 4, -3, 0), "EPSG:3857")]
)
def test_grids_without_crs_and_rotated_grids_are_restored(tmp_path: Path, grid: GeoBox) -> None:
    written(tmp_path / "s", grid)
    assert open_store(tmp_path / "s").geobox == grid


def test_xarray_opens_it_with_coordinates_and_crs(tmp_path: Path) -> None:
    data = xr.open_zarr(completed(tmp_path)[0], consolidated=False)
    assert data.sar.dims == ("sar_band", "y", "x") and data.sar.rio.crs.to_epsg() == 32633
    assert float(data.x[0]) == 500_005 and float(data.y[0]) == 5_299_995
    assert data.sar.rio.transform() == GRID.transform
    assert np.array_equal(data.sar.values, SAR)


def test_equal_content_has_an_equal_manifest(tmp_path: Path) -> None:
    first, second = (completed(tmp_path / name)[1].read_text() for name in ("a", "b"))
    assert first == second and str(tmp_path) not in first


def test_another_value_changes_the_manifest(tmp_path: Path) -> None:
    first = completed(tmp_path / "a")[1].read_text()
    written(tmp_path / "part").write("label", Window(0, 0, 1, 1), np.array([[99]], np.uint8))
    complete_store(tmp_path / "part", tmp_path / "b.zarr")
    assert (tmp_path / "b.json").read_text() != first


def described(folder: Path, grid: GeoBox = GRID, layers: Sequence[Layer] = LAYERS, **attributes: object) -> str:
    """Return the manifest of a store without written pixels."""
    create_store(folder / "part", grid, layers, tile_px=16, shard_tiles=2, attributes=attributes)
    complete_store(folder / "part", folder / "pair.zarr")
    check_store(folder / "pair.zarr")
    return (folder / "pair.json").read_text()


def test_the_manifest_covers_everything_that_later_stages_read(tmp_path: Path) -> None:
    sar, label = LAYERS
    manifests = [
        described(tmp_path / "plain", registration="good"),
        described(tmp_path / "verdict", registration="weak"),
        described(tmp_path / "crs", GeoBox(GRID.shape, GRID.transform, "EPSG:32634"), registration="good"),
        described(tmp_path / "none", GeoBox(GRID.shape, GRID.transform, None), registration="good"),
        described(tmp_path / "moved", GRID.translate_pix(1, 0), registration="good"),
        described(tmp_path / "bands", layers=[replace(sar, bands=("HH", "VH")), label], registration="good"),
        described(tmp_path / "nodata", layers=[sar, replace(label, nodata=0)], registration="good"),
        described(tmp_path / "fill", layers=[replace(sar, fill=-99.0), label], registration="good"),
    ]
    assert len(set(manifests)) == len(manifests)


def test_the_stamp_is_not_in_the_manifest(tmp_path: Path) -> None:
    first = described(tmp_path / "a", scene="alps", **stamp("tile_scene", '{"tile_px": 16}'))
    second = described(tmp_path / "b", **stamp("other", '{"tile_px": 32}'), scene="alps")
    assert first == second and "clairemap" not in first


def test_completing_replaces_an_older_store(tmp_path: Path) -> None:
    completed(tmp_path)
    store, manifest = completed(tmp_path)
    check_store(store, manifest)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pair.json", "pair.zarr"]


def test_a_store_without_a_file_or_manifest_is_an_error(tmp_path: Path) -> None:
    store, manifest = completed(tmp_path)
    chunk = next(file for file in (store / "sar").rglob("*") if file.is_file() and file.name != "zarr.json")
    content = chunk.read_bytes()
    chunk.write_bytes(content[:-10])
    with pytest.raises(StoreError, match="'sar'"):
        check_store(store, manifest)
    chunk.unlink()
    with pytest.raises(StoreError, match="'sar'"):
        check_store(store, manifest)
    chunk.write_bytes(content)
    check_store(store, manifest)
    manifest.write_text(json.dumps({}))
    with pytest.raises(StoreError, match="manifest"):
        check_store(store, manifest)
    manifest.unlink()
    with pytest.raises(StoreError, match="manifest"):
        check_store(store, manifest)


def test_a_path_that_is_not_a_store_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nothing"):
        open_store(tmp_path / "nothing.zarr")


def test_damaged_chunks_are_errors(tmp_path: Path) -> None:
    store, _ = completed(tmp_path)
    chunk = next(file for file in (store / "label").rglob("*") if file.is_file() and file.name != "zarr.json")
    chunk.write_bytes(b"\0" * 40)
    with pytest.raises(StoreError, match="label"):
        open_store(store).read("label", Window(0, 0, 70, 100))


@pytest.mark.parametrize("place", [0.2, 0.5, 0.8])
def test_a_single_changed_bit_is_detected(tmp_path: Path, place: float) -> None:
    store, _ = completed(tmp_path)
    chunk = next(file for file in (store / "label").rglob("*") if file.is_file() and file.name != "zarr.json")
    content = bytearray(chunk.read_bytes())
    content[int(place * len(content))] ^= 1
    chunk.write_bytes(content)
    with pytest.raises(StoreError, match="label"):
        open_store(store).read("label", Window(0, 0, 70, 100))


def test_empty_chunks_are_written_too(tmp_path: Path) -> None:
    grid = GeoBox((64, 64), Affine(10, 0, 0, 0, -10, 0), "EPSG:32633")
    store = create_store(tmp_path / "a.zarr", grid, [Layer("label", "uint8")], tile_px=32, shard_tiles=1, attributes={})
    store.write("label", Window(0, 0, 32, 32), np.zeros((32, 32), np.uint8))
    assert [file.name for file in (tmp_path / "a.zarr" / "label" / "c").rglob("*") if file.is_file()] == ["0"]
