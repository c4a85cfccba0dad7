import threading
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from clairemap.artefacts.statistics import read_statistics, write_statistics
from clairemap.errors import NoTrainingDataError, StoreError
from clairemap.raster.store import open_store
from clairemap.tiles import training_statistics
from clairemap.tiles.training_statistics import Moments, check_statistics, fit_statistics


@pytest.fixture(scope="module")
def scenes(made_pairs: ModuleType, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("scenes")
    return [
        made_pairs.make_scene(folder, "a", seed=1),
        made_pairs.make_scene(folder, "b", seed=2, shape=(300, 500)),
    ]


def fitted(made_pairs: ModuleType, scenes: list[Any], rows: int = None):
    index = pd.concat([pd.read_parquet(scene.tiles) for scene in scenes], ignore_index=True)
    stores = {scene.scene: scene.pair for scene in scenes}
    return fit_statistics(stores, index if rows is None else index[rows(index)], made_pairs.CLASSES)


def usable_values(made_pairs: ModuleType, scenes: list[Any], sensor: str):
    unusable = {"optical": made_pairs.OPTICAL_NODATA | made_pairs.CLOUD, "sar": made_pairs.SAR_NODATA}[sensor]
    return np.concatenate(
        [getattr(scene, sensor)[:, (scene.validity & unusable) == 0] for scene in scenes], axis=1
    ).astype(np.float64)


@pytest.mark.parametrize("sensor", ["optical", "sar"])
def test_figures_are_those_of_all_usable_pixels(made_pairs: ModuleType, scenes: list[Any], sensor: str):
    found = getattr(fitted(made_pairs, scenes), sensor)
    values = usable_values(made_pairs, scenes, sensor)
    assert found.mean == pytest.approx(values.mean(axis=1), rel=1e-12)
    assert found.std == pytest.approx(values.std(axis=1), rel=1e-12)
    assert found.p02 == pytest.approx(np.percentile(values, 2, axis=1))
    assert found.p98 == pytest.approx(np.percentile(values, 98, axis=1))


def test_a_smaller_sample_gives_nearly_the_same_percentiles(
    made_pairs: ModuleType, scenes: list[Any], monkeypatch: pytest.MonkeyPatch
):
    exact = fitted(made_pairs, scenes)
    monkeypatch.setattr(training_statistics, "STATISTICS_SAMPLE_PX", 20_000)
    sampled = fitted(made_pairs, scenes)
    assert sampled.optical.mean == exact.optical.mean
    assert sampled.sar.p98 != exact.sar.p98
    assert sampled.sar.p98 == pytest.approx(exact.sar.p98, abs=0.5)
    assert sampled.optical.p02 == pytest.approx(exact.optical.p02, abs=20)


def test_batches_only_change_rounding(made_pairs: ModuleType, scenes: list[Any], monkeypatch: pytest.MonkeyPatch):
    whole = fitted(made_pairs, scenes)
    monkeypatch.setattr(training_statistics, "BATCH_TILES", 1)
    single = fitted(made_pairs, scenes)
    assert single.optical.std == pytest.approx(whole.optical.std, rel=1e-13)
    assert (single.class_px, single.sar.p02) == (whole.class_px, whole.sar.p02)


@pytest.mark.parametrize("threads", [1, 4])
def test_threads_are_as_many_as_given_and_do_not_change_figures(
    made_pairs: ModuleType, scenes: list[Any], monkeypatch: pytest.MonkeyPatch, threads: int
):
    monkeypatch.setattr(training_statistics, "BATCH_TILES", 1)
    index = pd.read_parquet(scenes[0].tiles)
    stores = {scenes[0].scene: scenes[0].pair}
    usual = fit_statistics(stores, index, made_pairs.CLASSES)
    together, seen, summarise = threading.Barrier(threads), set(), training_statistics._summarise

    def meet(*words: object):
        together.wait(timeout=30)  # fails with fewer threads
        seen.add(threading.get_ident())
        return summarise(*words)

    monkeypatch.setattr(training_statistics, "_summarise", meet)
    assert len(index) % threads == 0
    assert fit_statistics(stores, index, made_pairs.CLASSES, threads) == usual
    assert len(seen) == threads


def test_only_training_tiles_are_counted(made_pairs: ModuleType, scenes: list[Any]):
    found = fitted(made_pairs, scenes, lambda index: (index["scene"] == "a") & (index["row"] == 0))
    a = scenes[0]
    mappable = (a.validity & (made_pairs.OPTICAL_NODATA | made_pairs.CLOUD)) * (a.validity & made_pairs.SAR_NODATA) == 0
    top = np.s_[: made_pairs.TILE_PX]
    labels = a.label[top][mappable[top]]
    assert found.class_px == tuple(np.bincount(labels[labels < 255], minlength=3))
    assert found.pixels == np.count_nonzero(mappable[top])
    assert (found.scenes, found.sar_scale) == (("a",), "db")
    assert found.optical.mean != fitted(made_pairs, scenes).optical.mean


def test_the_file_is_read_as_written_and_reproducible(made_pairs: ModuleType, scenes: list[Any], tmp_path: Path):
    found = fitted(made_pairs, scenes)
    write_statistics(tmp_path / "statistics.json", found)
    assert read_statistics(tmp_path / "statistics.json") == found
    write_statistics(tmp_path / "again.json", fitted(made_pairs, scenes))
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "statistics.json").read_bytes()


def test_training_tiles_without_labels_are_an_error(made_pairs: ModuleType, tmp_path: Path):
    bare = made_pairs.make_scene(tmp_path, "bare", shape=(256, 256), labelled=False)
    with pytest.raises(NoTrainingDataError, match="labelled pixel"):
        fitted(made_pairs, [bare])


def test_a_class_without_pixels_is_reported(made_pairs: ModuleType, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    scene = made_pairs.make_scene(tmp_path, "plain", shape=(256, 256))
    index = pd.read_parquet(scene.tiles)
    index["class_px"] = [np.array([5, 0, 7])]
    assert fit_statistics({"plain": scene.pair}, index, made_pairs.CLASSES).class_px == (5, 0, 7)
    assert "fields" in caplog.text


def test_constant_bands_and_missing_sensors_give_finite_figures(
    made_pairs: ModuleType, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    scene = made_pairs.make_scene(tmp_path, "flat", shape=(256, 256))
    group = zarr.open_group(scene.pair)
    group["optical"][0] = 77
    group["validity"][:] = np.asarray(group["validity"]) | made_pairs.SAR_NODATA
    index = pd.read_parquet(scene.tiles).assign(sar_px=0)
    found = fit_statistics({"flat": scene.pair}, index, made_pairs.CLASSES)
    assert (found.optical.mean[0], found.optical.std[0]) == (77, 1)
    assert found.optical.std[1] > 1
    assert (found.sar.mean, found.sar.std, found.sar.p02, found.sar.p98) == ((0,), (1,), (0,), (1,))
    assert "'red'" in caplog.text and "no training pixel is usable in sar" in caplog.text


def test_pairs_of_other_settings_are_rejected(made_pairs: ModuleType, tmp_path: Path):
    scenes = [made_pairs.make_scene(tmp_path, name, shape=(256, 256)) for name in "ab"]
    zarr.open_group(scenes[1].pair).attrs["sar_scale"] = "digital"
    with pytest.raises(StoreError, match="digital"):
        fitted(made_pairs, scenes)


def test_statistics_of_another_sensor_do_not_fit(made_pairs: ModuleType, scenes: list[Any]):
    found = fitted(made_pairs, scenes)
    stores = [open_store(scene.pair) for scene in scenes]
    check_statistics(found, stores)
    other = replace(found, optical=replace(found.optical, bands=("nir", "red")), sar_scale="digital")
    with pytest.raises(StoreError) as raised:
        check_statistics(other, stores)
    text = str(raised.value)
    assert text.startswith(str(scenes[0].pair))
    assert "optical bands: statistics have ('nir', 'red'), the pair has ('red', 'nir')" in text
    assert "SAR scale: statistics have digital, the pair has db" in text
    assert "SAR bands" not in text
    with pytest.raises(StoreError, match=r"SAR bands: statistics have \('HH',\), the pair has \('VV',\)"):
        check_statistics(replace(found, sar=replace(found.sar, bands=("HH",))), stores)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.floats(-1e4, 1e4), max_size=20), min_size=1, max_size=5))
def test_moments_of_parts_add_up_to_those_of_the_whole(parts: list[list[float]]):
    arrays = [np.array([part, part[::-1]], np.float64).reshape(2, -1) for part in parts]
    total = sum((Moments.of(array) for array in arrays[1:]), Moments.of(arrays[0]))
    whole = np.concatenate(arrays, axis=1)
    assert total.count == whole.shape[1]
    if total.count:
        assert total.mean == pytest.approx(whole.mean(axis=1), abs=1e-8)
        assert total.squares / total.count == pytest.approx(whole.var(axis=1), rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("sensor", ["optical", "sar"])
def test_signatures_are_those_of_the_usable_pixels_of_each_class(
    made_pairs: ModuleType, scenes: list[Any], sensor: str
):
    found = getattr(fitted(made_pairs, scenes), f"{sensor}_signatures")
    unusable = {"optical": made_pairs.OPTICAL_NODATA | made_pairs.CLOUD, "sar": made_pairs.SAR_NODATA}[sensor]
    for index in range(len(made_pairs.CLASSES)):
        chosen = [(scene.validity & unusable == 0) & (scene.label == index) for scene in scenes]
        values = np.concatenate(
            [getattr(scene, sensor)[:, mask] for scene, mask in zip(scenes, chosen, strict=True)], axis=1
        ).astype(np.float64)
        assert found.px[index] == values.shape[1] > 0
        bands = len(values)
        assert found.mean[index][:bands] == pytest.approx(values.mean(axis=1), rel=1e-9)
        assert found.std[index][:bands] == pytest.approx(values.std(axis=1), rel=1e-9)
