import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from clairemap.artefacts.manifest import read_manifest
from clairemap.errors import DiskFullError, StoreError
from clairemap.grid.tiles import tiles
from clairemap.grid.window import Window
from clairemap.raster import shard_merge
from clairemap.raster.shard_merge import is_merged, merge_shards, sharded_array
from clairemap.raster.store import Layer, check_store, complete_store, create_store, open_store

TILE_PX = 8
LAYERS = [
    Layer("sar", "float32", ("VV", "VH"), fill=float("nan")),
    Layer("optical", "uint16", ("red",)),
    Layer("label", "uint8", fill=255, nodata=255),
]
Values = dict[str, NDArray[Any]]


def made(path: Path, shape: tuple[int, int], shard_tiles: int = 2, seed: int = 0, *, missing: float = 0) -> Values:
    """Write a store of random values, without a share of its shards; return the values that it must have."""
    rng = np.random.default_rng(seed)
    grid = GeoBox(shape, Affine(10, 0, 500_000, 0, -10, 5_300_000), "EPSG:32633")
    store = create_store(path, grid, LAYERS, tile_px=TILE_PX, shard_tiles=shard_tiles, attributes={"scene": "a"})
    values: Values = {}
    for layer in LAYERS:
        bands = (len(layer.bands),) if layer.bands else ()
        random = rng.integers(0, 200, (*bands, *shape)).astype(layer.dtype)
        values[layer.name] = np.full_like(random, layer.fill)
        for window in store.shards():
            if rng.random() >= missing:
                values[layer.name][..., *window.slices] = random[..., *window.slices]
                store.write(layer.name, window, random[..., *window.slices])
    return values


def assert_has(path: Path, values: Values) -> None:
    """Compare all values, read by clairemap, by plain zarr and by xarray."""
    store, group, data = open_store(path), zarr.open_group(path, mode="r"), xr.open_zarr(path, consolidated=False)
    for name, expected in values.items():
        whole = Window(0, 0, *store.shape)
        decoded = np.where(expected == 255, np.nan, expected) if name == "label" else expected
        assert np.array_equal(store.read(name, whole), expected, equal_nan=True)
        assert np.array_equal(np.asarray(group[name][...]), expected, equal_nan=True)
        assert np.array_equal(data[name].values, decoded, equal_nan=True)


def files(array: Path) -> list[str]:
    return sorted(file.relative_to(array).as_posix() for file in array.rglob("*") if file.is_file())


def test_each_array_is_one_file(tmp_path: Path) -> None:
    values = made(tmp_path / "part", (50, 70))
    complete_store(tmp_path / "part", tmp_path / "a.zarr")
    assert_has(check_store(tmp_path / "a.zarr").path, values)
    assert files(tmp_path / "a.zarr" / "sar") == ["c.0.0.0", "zarr.json"]
    assert files(tmp_path / "a.zarr" / "label") == ["c.0.0", "zarr.json"]
    assert [path.name for path in (tmp_path / "a.zarr" / "sar").iterdir() if path.is_dir()] == []
    assert zarr.open_group(tmp_path / "a.zarr", mode="r")["sar"].shards == (2, 56, 72)
    assert open_store(tmp_path / "a.zarr").shard_px == 16


@settings(max_examples=25, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    shard_tiles=st.integers(1, 4),
    missing=st.sampled_from([0, 0.4, 1]),
    seed=st.integers(0, 99),
    window=st.tuples(*[st.integers(0, 59)] * 2, *[st.integers(1, 60)] * 2),
)
def test_values_stay_the_same(
    shape: tuple[int, int], shard_tiles: int, missing: float, seed: int, window: tuple[int, int, int, int]
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.zarr"
        values = made(path, shape, shard_tiles, seed, missing=missing)
        for name in values:
            array = sharded_array(path / name)
            assert array is not None
            merge_shards(array)
        assert_has(path, values)
        part = Window(*window).clipped(shape)
        if part.height > 0 and part.width > 0:
            for name, expected in values.items():
                assert np.array_equal(open_store(path).read(name, part), expected[..., *part.slices], equal_nan=True)


@pytest.mark.parametrize("missing", [0, 0.4])
def test_hash_does_not_depend_on_shards(tmp_path: Path, missing: float) -> None:
    hashes, merged = set(), set()
    for shard_tiles in (1, 2, 3, 8):  # 8: one shard, which is not copied
        path = tmp_path / str(shard_tiles)
        made(path, (40, 60), shard_tiles, missing=1)
        store, rng = open_store(path, "r+"), np.random.default_rng(0)
        for tile in tiles(store.shape, TILE_PX):
            block = rng.integers(0, 200, tile.window.shape, np.uint8)
            if rng.random() >= missing:
                store.write("label", tile.window, block)
        hashes.add(merge_shards(sharded_array(path / "label")))  # type: ignore[arg-type]
        if shard_tiles < 8:
            merged.add((path / "label" / "c.0.0").read_bytes())
    assert len(hashes) == len(merged) == 1


def test_another_value_and_another_place_change_the_hash(tmp_path: Path) -> None:
    hashes = set()
    for number, window in enumerate([Window(0, 0, 8, 8), Window(8, 8, 8, 8), Window(0, 40, 8, 8)]):
        for value in (1, 2):
            path = tmp_path / f"{number}{value}"
            made(path, (40, 60), missing=1)
            open_store(path, "r+").write("label", window, np.full((8, 8), value, np.uint8))
            hashes.add(merge_shards(sharded_array(path / "label")))  # type: ignore[arg-type]
    assert len(hashes) == 6


def test_one_shard_is_not_copied(tmp_path: Path) -> None:
    values = made(tmp_path / "part", (30, 20), shard_tiles=4)
    before = {name: (tmp_path / "part" / name / "zarr.json").read_bytes() for name in values}
    inode = (tmp_path / "part" / "label" / "c" / "0" / "0").stat().st_ino
    complete_store(tmp_path / "part", tmp_path / "a.zarr")
    assert (tmp_path / "a.zarr" / "label" / "c" / "0" / "0").stat().st_ino == inode
    assert before == {name: (tmp_path / "a.zarr" / name / "zarr.json").read_bytes() for name in values}
    assert_has(tmp_path / "a.zarr", values)


def states_while_completing(part: Path, target: Path, copies: Path) -> list[Path]:
    """Complete a store; return copies of it at each step, which are what a kill there leaves."""

    def keep() -> None:
        if part.is_dir():
            shutil.copytree(part, copies / f"{len(list(copies.iterdir())):03}")

    def kept(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*words: Any) -> Any:
            keep()
            result = function(*words)
            keep()
            return result

        return wrapped

    def removed(folder: Path) -> None:
        next(file for file in folder.rglob("*") if file.is_file()).unlink()
        keep()
        remove(folder)

    remove = shutil.rmtree
    copies.mkdir()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(shard_merge, "_add", kept(shard_merge._add))
        patched.setattr(Path, "replace", kept(Path.replace))
        patched.setattr(shard_merge.shutil, "rmtree", removed)
        complete_store(part, target)
    return sorted(copies.iterdir())


def test_a_kill_at_any_step_loses_nothing(tmp_path: Path) -> None:
    values = made(tmp_path / "part", (12, 30))
    found = states_while_completing(tmp_path / "part", tmp_path / "a.zarr", tmp_path / "states")
    assert len(found) > 40 and {open_store(state).has_merged_shards for state in found} == {False, True}
    assert sum(bool(list(state.rglob("*.partial"))) for state in found) > 5
    for state in found:
        assert_has(state, values)
        target = tmp_path / f"{state.name}.zarr"
        complete_store(state, target)
        assert target.with_suffix(".json").read_text() == (tmp_path / "a.json").read_text()
        assert {name: files(target / name) for name in values} == {
            name: files(tmp_path / "a.zarr" / name) for name in values
        }


def test_a_killed_process_leaves_no_store_that_counts_as_complete(tmp_path: Path) -> None:
    values = made(tmp_path / "part", (50, 70))
    program = """
        import os, signal, sys
        from pathlib import Path
        from clairemap.raster import shard_merge, store
        count, add = 0, shard_merge._add
        def killed(*words):
            global count
            count += 1
            if count == 100:  # in the middle of the second array
                os.kill(os.getpid(), signal.SIGKILL)
            add(*words)
        shard_merge._add = killed
        store.complete_store(Path("part"), Path("a.zarr"))
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=tmp_path, check=False, env={**os.environ}
    )
    assert run.returncode == -9
    assert [is_merged(tmp_path / "part" / name) for name in ("label", "optical", "sar")] == [True, False, False]
    assert list((tmp_path / "part").rglob("*.partial")) != []
    assert not (tmp_path / "a.zarr").exists() and not (tmp_path / "a.json").exists()
    complete_store(tmp_path / "part", tmp_path / "a.zarr")
    assert_has(check_store(tmp_path / "a.zarr").path, values)


def test_only_one_array_takes_space_twice(tmp_path: Path) -> None:
    made(tmp_path / "part", (12, 20))
    states = states_while_completing(tmp_path / "part", tmp_path / "a.zarr", tmp_path / "states")
    twice = [
        sum((state / layer.name / "c").is_dir() and any((state / layer.name).glob("c.*")) for layer in LAYERS)
        for state in states
    ]
    assert max(twice) == 1


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), OSError(122, "Disk quota exceeded")])
def test_a_full_disk_leaves_the_store_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    values = made(tmp_path / "part", (50, 70))
    before = files(tmp_path / "part")

    def full(_: object) -> bytes:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(shard_merge, "_encoded", full)
        with pytest.raises(DiskFullError, match=r"label/c\.0\.0: no space left on .* up to 0\.0 MB more needed"):
            complete_store(tmp_path / "part", tmp_path / "a.zarr")
    assert files(tmp_path / "part") == before and not (tmp_path / "a.json").exists()
    complete_store(tmp_path / "part", tmp_path / "a.zarr")
    assert_has(tmp_path / "a.zarr", values)


@pytest.mark.parametrize("cut", [1, 30])
def test_a_truncated_merged_file_is_an_error(tmp_path: Path, cut: int) -> None:
    made(tmp_path / "part", (50, 70))
    complete_store(tmp_path / "part", tmp_path / "a.zarr")
    file = tmp_path / "a.zarr" / "optical" / "c.0.0.0"
    os.truncate(file, file.stat().st_size - cut)
    with pytest.raises(StoreError, match="'optical' has 1 files"):
        check_store(tmp_path / "a.zarr")
    with pytest.raises(StoreError, match="damaged"):
        open_store(tmp_path / "a.zarr").read("optical", Window(0, 0, 50, 70))


@pytest.mark.parametrize("shard_tiles", [2, 16])
@pytest.mark.parametrize("kept", [0, 10, -1])
def test_damaged_shards_are_not_merged(tmp_path: Path, kept: int, shard_tiles: int) -> None:
    made(tmp_path / "part", (50, 70), shard_tiles)
    file = tmp_path / "part" / "label" / "c" / "0" / "0"
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(StoreError, match="label/c/0/0: the index of the shard is damaged"):
        complete_store(tmp_path / "part", tmp_path / "a.zarr")
    assert not (tmp_path / "a.json").exists() and not list((tmp_path / "part").rglob("*.partial"))


def test_a_chunk_beyond_the_end_is_an_error(tmp_path: Path) -> None:
    made(tmp_path / "part", (50, 70))
    file = tmp_path / "part" / "label" / "c" / "0" / "0"
    file.write_bytes(file.read_bytes()[-68:])  # the index only
    with pytest.raises(StoreError, match="ends within chunk"):
        complete_store(tmp_path / "part", tmp_path / "a.zarr")


def test_other_formats_are_errors(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "plain", shape=(4,), dtype="u1", chunks=(2,))
    assert sharded_array(tmp_path / "plain") is None and not is_merged(tmp_path / "plain")
    codec = zarr.codecs.ShardingCodec(chunk_shape=(2,), index_location="start")
    zarr.create_array(tmp_path / "start", shape=(4,), dtype="u1", chunks=(4,), serializer=codec, compressors=None)
    with pytest.raises(StoreError, match="another format"):
        sharded_array(tmp_path / "start")


def test_manifest_counts_merged_files(tmp_path: Path) -> None:
    for side in (16, 100):
        made(tmp_path / "part", (side, side))
        complete_store(tmp_path / "part", tmp_path / f"{side}.zarr")
    counts = [
        {name: entry.files for name, entry in read_manifest(tmp_path / f"{side}.json", tmp_path).arrays.items()}
        for side in (16, 100)
    ]
    assert counts[0] == counts[1] == {"label": 1, "optical": 1, "sar": 1, "spatial_ref": 0, "x": 1, "y": 1}


def test_the_largest_scenes_have_one_file_of_coordinates(tmp_path: Path) -> None:
    made(tmp_path / "a", (1, 40_000), shard_tiles=512, missing=1)
    assert files(tmp_path / "a" / "x") == ["c/0", "zarr.json"]
