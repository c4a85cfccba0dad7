import json
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from clairemap.artefacts.model_card import ModelCard
from clairemap.errors import BundleError, DiskFullError, SettingsError, StoreError
from clairemap.inference.devices import choose_devices
from clairemap.inference.pipeline import ModelSlot
from clairemap.inference.predict import Prediction, predict_scene
from clairemap.nets.bundle import Bundle, build_network
from clairemap.nets.image import Image
from clairemap.nets.normalisation import normalise
from clairemap.raster import store as store_module
from clairemap.raster.shard_merge import ShardedArray
from clairemap.raster.store import GridStore, check_store, complete_store, open_store
from clairemap.settings import InferenceSettings, NetworkSettings, View
from clairemap.validity import Validity

Make = Callable[..., GridStore]

CLOUD, NO_OPTICAL, NO_SAR = (np.uint8(flag) for flag in (Validity.CLOUD, Validity.OPTICAL_NODATA, Validity.SAR_NODATA))


@pytest.fixture
def predict(tmp_path: Path, bundle: Bundle):
    def run(
        pair: GridStore,
        view: View = "fused",
        window_px: int = 2048,
        halo_px: int | None = None,
        bundle: Bundle = bundle,
        part: Path | None = None,
        **further: Any,  # noqa: ANN401 - of the settings
    ):
        settings = InferenceSettings(window_px=window_px, halo_px=halo_px, **further)
        part = part or tmp_path / f"out{len(list(tmp_path.iterdir()))}.zarr"
        predict_scene(pair, Prediction(bundle, view, settings), part, {"clairemap_stage": "predict_scene"})
        return open_store(part)

    return run


def arrays(store: GridStore):
    return store.array("probability")[:], store.array("optical_share")[:]


def expected(bundle: Bundle, pair: GridStore):
    """The whole scene at once, straight through the network."""
    height, width = pair.shape
    rows, columns = -height % 128, -width % 128
    card = bundle.card

    def padded(values: NDArray[np.uint8]):
        return torch.from_numpy(np.pad(values, ((0, 0), (0, rows), (0, columns))))[None]

    flags = pair.array("validity")[:]
    optical = np.equal(flags & (NO_OPTICAL | CLOUD), 0)
    sar = np.equal(flags & NO_SAR, 0)
    logits, _ = bundle.network(
        normalise(padded(pair.array("optical")[:]), card.optical_bands),
        normalise(padded(pair.array("sar")[:]), card.sar_bands),
        padded(optical[None]).float(),
        padded(sar[None]).float(),
    )
    probability = torch.softmax(logits[0, :, :height, :width] / card.temperature, dim=0)
    return probability.numpy(force=True) * (optical | sar)


def assert_same_map(found: NDArray[np.uint8], core: NDArray[np.float32]):
    """Assert that probabilities are rounded (one level with the likeliest is 1 less), and classes are the same."""
    apart = found - 255 * core
    lowered = (apart < -0.51) & (found + 1 == found.max(axis=0))
    assert np.abs(apart + lowered).max() < 0.51
    assert np.array_equal(found.argmax(axis=0), core.argmax(axis=0))


def holes(shape: tuple[int, int]):
    flags = np.zeros(shape, np.uint8)
    flags[40:90, 30:200] |= CLOUD
    flags[70:120, 100:260] |= NO_SAR
    flags[:30, :50] |= NO_OPTICAL
    return flags


def test_result_is_the_network_run_on_the_whole_scene(make_pair: Make, bundle: Bundle, predict: Make):
    pair = make_pair((300, 410), holes((300, 410)))
    probability, _ = arrays(predict(pair))
    assert_same_map(probability, expected(bundle, pair))


def with_moments(pair: GridStore, of_values: float, and_added: float) -> GridStore:
    """Return the pair with all optical values multiplied and moved, and with the moments of both sensors."""
    pair = open_store(pair.path, "r+")
    optical = pair.array("optical")[:].astype(np.float64) * of_values + and_added
    for window in pair.shards():
        pair.write("optical", window, optical[:, *window.slices].astype(np.uint16))
    sar = pair.array("sar")[:]
    moments = {
        sensor: {"mean": np.nanmean(values, (1, 2)).tolist(), "std": np.nanstd(values, (1, 2)).tolist()}
        for sensor, values in (("optical", optical), ("sar", sar))
    }
    pair.group.attrs.update({"moments": moments})
    return open_store(pair.path)


def test_normalised_by_itself_a_scene_may_have_any_stretch(make_pair: Make, bundle: Bundle, predict: Make):
    by_scene = replace(bundle, card=bundle.card.model_copy(update={"normalisation": "scene"}))
    maps = {}
    for stretch in ((1, 0), (3, 500)):
        pair = with_moments(make_pair((200, 260)), *stretch)
        maps[stretch] = [arrays(predict(pair, bundle=chosen))[0].astype(int) for chosen in (bundle, by_scene)]
    (plain, plain_by_scene), (stretched, stretched_by_scene) = maps.values()
    assert np.abs(plain - stretched).max() > 50
    assert np.abs(plain_by_scene - stretched_by_scene).max() <= 1
    with pytest.raises(StoreError, match="no band moments"):
        predict(make_pair((200, 260)), bundle=by_scene)


def test_result_does_not_depend_on_the_window(make_pair: Make, predict: Make):
    pair = make_pair((700, 900), holes((700, 900)))
    whole, whole_share = arrays(predict(pair, window_px=2048))
    tiled, tiled_share = arrays(predict(pair, window_px=384))
    assert np.abs(whole.astype(int) - tiled).max() <= 1
    assert np.mean(whole.argmax(0) == tiled.argmax(0)) >= 0.9999
    assert np.array_equal(whole_share, tiled_share)


def test_small_halo_leaves_seams(make_pair: Make, predict: Make):
    pair = make_pair((300, 410))
    whole, _ = arrays(predict(pair, window_px=2048))
    tiled, _ = arrays(predict(pair, window_px=128, halo_px=0))
    assert np.abs(whole.astype(int) - tiled).max() > 3


def test_claire_itself_leaves_no_seams(make_pair: Make, card: ModelCard, predict: Make):
    torch.manual_seed(0)
    claire = Bundle(build_network(card).eval(), card)
    pair = make_pair((260, 400), holes((260, 400)))
    whole, whole_share = arrays(predict(pair, bundle=claire))
    tiled, tiled_share = arrays(predict(pair, window_px=384, halo_px=128, bundle=claire))
    assert np.abs(whole.astype(int) - tiled).max() <= 1
    assert np.abs(whole_share.astype(int) - tiled_share).max() <= 1


def test_bfloat16_differs_only_in_the_last_digits(make_pair: Make, predict: Make):
    pair = make_pair((200, 200), holes((200, 200)))
    exact, exact_share = arrays(predict(pair))
    coarse, share = arrays(predict(pair, precision="bfloat16"))
    assert 0 < np.abs(exact.astype(int) - coarse).max() < 12
    assert np.array_equal(share == 255, exact_share == 255)


@pytest.mark.parametrize("shape", [(1, 1), (1, 131), (127, 3), (131, 257), (128, 256)])
def test_any_size(shape: tuple[int, int], make_pair: Make, bundle: Bundle, predict: Make):
    pair = make_pair(shape)
    store = predict(pair, window_px=128)
    probability, share = arrays(store)
    assert probability.shape == (4, *shape) and share.shape == shape
    assert_same_map(probability, expected(bundle, pair))
    assert store.geobox == pair.geobox and store.tile_px == pair.tile_px


def test_optical_share_is_exact_where_one_sensor_is_usable(make_pair: Make, predict: Make):
    flags = holes((140, 280))
    optical = np.equal(flags & (NO_OPTICAL | CLOUD), 0)
    sar = np.equal(flags & NO_SAR, 0)
    probability, share = arrays(predict(make_pair(flags.shape, flags)))
    assert set(share[optical & ~sar].tolist()) == {100}
    assert set(share[sar & ~optical].tolist()) == {0}
    assert set(share[~sar & ~optical].tolist()) == {255}
    assert not probability[:, ~sar & ~optical].any()
    assert set(np.unique(share[130:])) == {30}


def test_views_do_not_use_the_other_sensor(make_pair: Make, predict: Make):
    flags = holes((140, 280))
    pair = make_pair(flags.shape, flags)
    _, share = arrays(predict(pair, view="sar"))
    assert np.array_equal(share == 255, (flags & NO_SAR) > 0)
    assert set(share[share != 255].tolist()) == {0}
    _, share = arrays(predict(pair, view="optical"))
    assert np.array_equal(share == 255, (flags & (NO_OPTICAL | CLOUD)) > 0)
    assert set(share[share != 255].tolist()) == {100}


def test_sensor_that_the_network_was_not_trained_on_maps_nothing(make_pair: Make, bundle: Bundle, predict: Make):
    alone = bundle.card.model_copy(update={"network": NetworkSettings(sensors="optical")})
    probability, share = arrays(predict(make_pair((100, 100)), view="sar", bundle=replace(bundle, card=alone)))
    assert not probability.any() and (share == 255).all()


def test_scene_without_valid_pixels_gives_a_complete_store_of_nodata(make_pair: Make, predict: Make, tmp_path: Path):
    flags = np.full((300, 200), NO_OPTICAL | NO_SAR, np.uint8)
    store = predict(make_pair(flags.shape, flags), window_px=128)
    complete_store(store.path, tmp_path / "done.zarr")
    probability, share = arrays(check_store(tmp_path / "done.zarr"))
    assert not probability.any() and (share == 255).all()


def test_windows_without_valid_pixels_are_skipped(
    make_pair: Make, bundle: Bundle, predict: Make, monkeypatch: pytest.MonkeyPatch
):
    flags = np.full((256, 256), NO_OPTICAL | NO_SAR, np.uint8)
    flags[200, 200] = 0
    runs = []
    cells = bundle.network.cells
    monkeypatch.setattr(bundle.network, "cells", lambda *inputs: runs.append(1) or cells(*inputs))
    _, share = arrays(predict(make_pair(flags.shape, flags), window_px=128, halo_px=0))
    assert len(runs) == 1 and (share != 255).sum() == 1


def test_store_has_attributes(make_pair: Make, predict: Make):
    attributes = predict(make_pair((10, 10)), view="sar").attributes
    assert attributes["scene"] == "a" and attributes["view"] == "sar"
    assert attributes["class_codes"] == [15, 25, 35, 45] and attributes["class_names"][0] == "class 1"
    assert attributes["clairemap_stage"] == "predict_scene" and attributes["georeferenced"] is True


def test_each_file_of_the_store_is_written_once(make_pair: Make, predict: Make, monkeypatch: pytest.MonkeyPatch):
    written = []
    write = type(make_pair((1, 1))).write
    monkeypatch.setattr(
        "clairemap.raster.store.GridStore.write",
        lambda self, name, window, block: written.append((name, window)) or write(self, name, window, block),
    )
    pair = make_pair((300, 300))
    written.clear()
    store = predict(pair, window_px=128, halo_px=0)
    assert len(written) == len(set(written)) == 2 * len(list(store.shards()))


def test_gpus_do_not_use_tf32(make_pair: Make, bundle: Bundle, predict: Make, monkeypatch: pytest.MonkeyPatch):
    seen = set()
    cells = bundle.network.cells

    def spy(*inputs: torch.Tensor):
        seen.add((torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32))
        return cells(*inputs)

    monkeypatch.setattr(bundle.network, "cells", spy)
    predict(make_pair((20, 20)))
    assert seen == {(False, False)}


def test_other_bands_are_an_error(make_pair: Make, predict: Make):
    pair = make_pair((20, 20), sar_scale="digital")
    with pytest.raises(BundleError, match="SAR scale"):
        predict(pair)


def test_damaged_pair_is_an_error(make_pair: Make, predict: Make):
    pair = make_pair((200, 200))
    for file in (pair.path / "optical").rglob("c/**/*"):
        if file.is_file():
            file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(StoreError, match="damaged"):
        predict(pair)


class Counted:
    """Counts the network's runs, and is interrupted at one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, bundle: Bundle) -> None:
        self.runs, self.last = 0, 1000
        self._cells = bundle.network.cells
        monkeypatch.setattr(bundle.network, "cells", self)

    def __call__(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.runs += 1
        if self.runs > self.last:
            raise KeyboardInterrupt
        return self._cells(*inputs)


@pytest.mark.parametrize("window_px", [384, 512])  # a quarter of a shard, a whole one
def test_interrupted_run_resumes_after_the_last_complete_shard(
    window_px: int, make_pair: Make, bundle: Bundle, predict: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pair = make_pair((700, 500), holes((700, 500)))
    undisturbed = predict(pair, window_px=window_px)
    counted = Counted(monkeypatch, bundle)
    part = tmp_path / "kept"
    counted.last = 4
    with pytest.raises(KeyboardInterrupt):
        predict(pair, window_px=window_px, part=part)
    shards = [path for path in (part / "optical_share" / "c").rglob("*") if path.is_file()]
    assert 0 < len(shards) < len(list(undisturbed.shards()))
    counted.runs, counted.last = 0, 1000
    resumed = predict(pair, window_px=window_px, part=part)
    behind = counted.runs
    for name, store in (("one", undisturbed), ("two", resumed)):
        complete_store(store.path, tmp_path / f"{name}.zarr")
    assert (tmp_path / "one.json").read_text() == (tmp_path / "two.json").read_text()
    counted.runs = 0
    predict(pair, window_px=window_px)
    assert behind < counted.runs


def test_run_interrupted_while_merging_maps_nothing_again(
    make_pair: Make, bundle: Bundle, predict: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pair = make_pair((600, 300), holes((600, 300)))
    complete_store(predict(pair, window_px=384).path, tmp_path / "one.zarr")
    part, merge = tmp_path / "kept", store_module.merge_shards
    predict(pair, window_px=384, part=part)

    def interrupted(array: ShardedArray) -> str:
        if array.folder.name == "probability":  # the second one
            raise KeyboardInterrupt
        return merge(array)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(store_module, "merge_shards", interrupted)
        complete_store(part, tmp_path / "two.zarr")
    assert open_store(part).has_merged_shards
    counted = Counted(monkeypatch, bundle)
    complete_store(predict(pair, window_px=384, part=part).path, tmp_path / "two.zarr")
    assert counted.runs == 0
    assert (tmp_path / "one.json").read_text() == (tmp_path / "two.json").read_text()


@pytest.mark.parametrize("damage", ["cut short", "emptied", "lost"])
def test_incomplete_shards_are_rewritten(damage: str, make_pair: Make, predict: Make, tmp_path: Path):
    pair = make_pair((600, 300))
    part = tmp_path / "kept"
    before = arrays(predict(pair, window_px=512, part=part))
    shards = sorted(path for path in (part / "probability" / "c").rglob("*") if path.is_file())
    if damage == "lost":
        shards[1].unlink()
    else:
        shards[1].write_bytes(shards[1].read_bytes()[: 99 if damage == "cut short" else 0])
    shards[2].with_name("0.123.partial").write_bytes(b"half")
    after = arrays(predict(pair, window_px=512, part=part))
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))
    complete_store(part, tmp_path / "done.zarr")
    assert not list((tmp_path / "done.zarr").rglob("*.partial"))
    check_store(tmp_path / "done.zarr")


def test_run_with_more_memory_resumes_with_the_same_windows(
    make_pair: Make, bundle: Bundle, predict: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pair = make_pair((700, 500), holes((700, 500)))
    part = tmp_path / "kept"
    undisturbed = arrays(predict(pair, window_px=384, halo_px=0))
    counted = Counted(monkeypatch, bundle)
    counted.last = 3
    with pytest.raises(KeyboardInterrupt):
        predict(pair, window_px=384, halo_px=0, part=part)
    counted.last = 1000
    resumed = arrays(predict(pair, window_px=1024, halo_px=0, part=part))  # alone it would not be cut
    assert all(np.array_equal(one, other) for one, other in zip(undisturbed, resumed, strict=True))


def test_run_with_less_memory_starts_over(make_pair: Make, predict: Make, tmp_path: Path):
    pair = make_pair((700, 300))
    part = tmp_path / "kept"
    large = arrays(predict(pair, window_px=640, part=part))
    store = predict(pair, window_px=384, part=part)
    assert store.shard_px == 128
    assert np.abs(arrays(store)[0].astype(int) - large[0]).max() <= 1


@pytest.mark.parametrize("lost", ["optical_share", "probability", "zarr.json"])
def test_store_interrupted_at_its_creation_is_recreated(lost: str, make_pair: Make, predict: Make, tmp_path: Path):
    pair = make_pair((300, 300))
    whole = predict(pair, window_px=128)
    part = tmp_path / "kept"
    shutil.copytree(whole.path, part)
    for name in ("optical_share", "probability"):
        shutil.rmtree(part / name / "c")
    shutil.rmtree(part / lost) if (part / lost).is_dir() else (part / lost).unlink()
    again = predict(pair, window_px=128, part=part)
    assert all(np.array_equal(one, other) for one, other in zip(arrays(whole), arrays(again), strict=True))
    assert dict(again.array("optical_share").attrs) == dict(whole.array("optical_share").attrs)


def test_another_commit_between_the_runs_does_not_prevent_resuming(
    make_pair: Make, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pair = make_pair((600, 300))
    prediction = Prediction(bundle, "fused", InferenceSettings(window_px=384))
    predict_scene(pair, prediction, tmp_path / "kept", {"clairemap_commit": "one"})
    counted = Counted(monkeypatch, bundle)
    predict_scene(pair, prediction, tmp_path / "kept", {"clairemap_commit": "two"})
    assert counted.runs == 0
    assert open_store(tmp_path / "kept").attributes["clairemap_commit"] == "two"


def test_windows_mapped_concurrently_give_the_same(make_pair: Make, predict: Make, monkeypatch: pytest.MonkeyPatch):
    pair = make_pair((700, 500), holes((700, 500)))
    alone = arrays(predict(pair, window_px=384))
    monkeypatch.setattr("clairemap.inference.predict.slots", lambda network, _: [ModelSlot(network)] * 4)
    together = arrays(predict(pair, window_px=384))
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))


def test_window_that_does_not_fit_into_the_gpu_is_an_error(
    make_pair: Make, bundle: Bundle, predict: Make, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: object):
        raise torch.OutOfMemoryError("no memory")

    monkeypatch.setattr(bundle.network, "cells", full)
    with pytest.raises(SettingsError, match=r"256 x 256 px does not fit.*inference\.window_px"):
        predict(make_pair((700, 500)), window_px=384)


def test_run_whose_store_is_taken_over_fails(
    make_pair: Make, bundle: Bundle, predict: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    part, taken = tmp_path / "kept", tmp_path / "taken"
    cells = bundle.network.cells

    def take(*inputs: torch.Tensor):
        if not taken.exists():
            part.rename(taken)
        return cells(*inputs)

    monkeypatch.setattr(bundle.network, "cells", take)
    with pytest.raises(StoreError, match="another run"):
        predict(make_pair((600, 300)), window_px=512, part=part)


def test_windows_are_as_large_as_the_memory_allows(
    make_pair: Make, bundle: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    pair = make_pair((1500, 900))
    seen = {}
    cells = bundle.network.cells
    for memory_mb in (500, 3000):
        sides: list[tuple[int, ...]] = []

        def noted(optical: Image, *others: object, sides: list[tuple[int, ...]] = sides):
            sides.append(optical.weight.shape[-2:])
            return cells(optical, *others)

        monkeypatch.setattr(bundle.network, "cells", noted)
        prediction = Prediction(bundle, "fused", InferenceSettings(), memory_mb)
        predict_scene(pair, prediction, tmp_path / f"{memory_mb}.zarr", {})
        seen[memory_mb] = sides
    assert seen[3000] == [(1536, 1024)]
    assert len(seen[500]) > 1 and max(max(side) for side in seen[500]) < 900


def test_failure_ends_with_an_error_and_without_threads(
    make_pair: Make, predict: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pair = make_pair((300, 300))

    def full(*_: object):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("clairemap.raster.store.GridStore.write", full)
    with pytest.raises(DiskFullError, match="no space left.*run again") as failure:
        predict(pair, window_px=128)
    # Held here, the traceback keeps the loop's frames alive: nothing may depend on their being collected.
    assert failure.tb is not None
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith(("read", "map", "write"))]
    assert not list(tmp_path.glob("out*.zarr"))  # nothing to resume


def test_full_disk_keeps_complete_shards(
    make_pair: Make, bundle: Bundle, predict: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pair, part = make_pair((700, 500)), tmp_path / "kept"
    counted = Counted(monkeypatch, bundle)
    undisturbed, all_runs = arrays(predict(pair, window_px=384)), counted.runs
    write, calls = GridStore.write, iter(range(100))

    def fills_up(*arguments: Any):  # noqa: ANN401 - those of write
        if next(calls) > 4:
            raise OSError(28, "No space left on device")
        write(*arguments)

    with monkeypatch.context() as patch, pytest.raises(DiskFullError, match="no space left"):
        patch.setattr(GridStore, "write", fills_up)
        predict(pair, window_px=384, part=part)
    with pytest.raises(StoreError, match="not a valid manifest"):
        check_store(part)  # without a manifest it is incomplete
    counted.runs = 0
    resumed = arrays(predict(pair, window_px=384, part=part))
    assert all(np.array_equal(one, other) for one, other in zip(undisturbed, resumed, strict=True))
    assert 0 < counted.runs < all_runs


def test_missing_gpu_is_an_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_devices("auto") == (torch.device("cpu"),)
    with pytest.raises(SettingsError, match="no GPU"):
        choose_devices("cuda")


def test_equal_runs_give_equal_manifests(make_pair: Make, predict: Make, tmp_path: Path):
    pair = make_pair((200, 150))
    for name in ("one", "two"):
        complete_store(predict(pair).path, tmp_path / f"{name}.zarr")
    assert json.loads((tmp_path / "one.json").read_text()) == json.loads((tmp_path / "two.json").read_text())
