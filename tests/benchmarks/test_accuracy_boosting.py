"""The baseline of the accuracy benchmark: features, drawn pixels, classifier. `test_quick` runs all of it."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from clairemap.artefacts.statistics import BandStatistics, TrainingStatistics
from clairemap.classes import IGNORE_INDEX
from clairemap.raster.store import open_store
from clairemap.tiles.dataset import TrainingSample


@pytest.fixture(scope="module")
def boosting(benchmark_module: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_module("accuracy_boosting")


@pytest.fixture(scope="module")
def scenes(
    boosting: ModuleType, made_pairs: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[Any, Any]]:
    """Return two scenes of 512 x 768 px as the benchmark reads them, without normalisation, and their arrays."""
    optical = BandStatistics(bands=("red", "nir"), mean=(0.0,) * 2, std=(1.0,) * 2, p02=(0.0,) * 2, p98=(1.0,) * 2)
    sar = BandStatistics(bands=("VV",), mean=(0.0,), std=(1.0,), p02=(0.0,), p98=(1.0,))
    unscaled = SimpleNamespace(normalise=lambda batch: batch)
    job = SimpleNamespace(
        statistics=TrainingStatistics(optical, sar, (1, 1, 1), 3, ("made_b_0",), "db"),
        scales=unscaled,
        matches=lambda stores: {},  # noqa: ARG005
    )
    found = []
    for seed, name in enumerate(("made_a_0", "made_b_0")):
        made = made_pairs.make_scene(tmp_path_factory.mktemp("pair"), name, seed=seed, shape=(512, 768))
        found.append((boosting.TestScene(name, open_store(made.pair), job), made))
    return found


def task(boosting: ModuleType, iterations: int = 10) -> Any:  # noqa: ANN401
    return boosting.Task(boosting.FOLDS["quick"][0], 3, iterations)


def test_features_are_bands_and_their_means_over_usable_pixels(boosting: ModuleType):
    rng = np.random.default_rng(0)
    bands, sar = rng.normal(0, 1, (2, 24, 24)).astype(np.float32), rng.normal(0, 1, (1, 24, 24)).astype(np.float32)
    usable = (rng.random((1, 24, 24)) > 0.6).astype(np.float32)
    everywhere = np.ones((1, 24, 24), np.float32)
    target = np.where(usable[0] > 0, 1, IGNORE_INDEX)
    target[0, :3] = (0, 2, 0)
    layers = (bands, sar, usable, everywhere, target, np.zeros((2, 24, 24), bool))
    features, classes = boosting.pixels(TrainingSample(*(torch.from_numpy(layer[None]) for layer in layers)))
    known = np.argwhere(target != IGNORE_INDEX)
    assert features.shape == (len(known), 6) and classes[:3].tolist() == [0, 2, 0] and set(classes[3:].tolist()) == {1}
    for (row, col), found in zip(known, features, strict=True):
        near = np.s_[max(row - 3, 0) : row + 4, max(col - 3, 0) : col + 4]
        seen = usable[0][near] > 0
        optical = [band[near][seen].mean() if seen.any() else 0 for band in bands]
        expected = [*bands[:, row, col], *optical, sar[0, row, col], sar[0][near].mean()]
        assert np.allclose(found, expected, atol=1e-5)


def test_pixels_are_drawn_at_random_from_all_that_both_sensors_see(boosting: ModuleType, scenes: list[Any]):
    scene, made = scenes[0]
    seen = (made.validity == 0) & (made.label != IGNORE_INDEX)
    parts = list(boosting.drawn(scene, np.random.default_rng(3), most=5000))
    features = np.concatenate([features for features, _ in parts])
    classes = np.concatenate([classes for _, classes in parts])
    assert len(classes) == 5000 and len(parts) == 2
    assert len(parts[1][1]) / 5000 == pytest.approx(seen[:, 512:].sum() / seen.sum(), abs=0.03)
    shares = np.bincount(made.label[seen], minlength=3) / seen.sum()
    assert np.bincount(classes, minlength=3) / 5000 == pytest.approx(shares, abs=0.03)
    known = set(zip(*made.optical[:, seen], made.sar[0, seen], made.label[seen], strict=True))
    drawn = set(zip(*features[:, [0, 1, 4]].T, classes, strict=True))
    assert drawn <= known and len(drawn) > 4990
    again, other = (next(boosting.drawn(scene, np.random.default_rng(seed), most=5000))[0] for seed in (3, 4))
    assert np.array_equal(again, parts[0][0]) and not np.array_equal(other[:50], again[:50])
    assert sum(len(part) for _, part in boosting.drawn(scene, np.random.default_rng(3), most=10**9)) == seen.sum()


def test_a_baseline_is_scored_on_the_blocks_of_the_networks(boosting: ModuleType, scenes: list[Any]):
    pytest.importorskip("sklearn", reason="scikit-learn is missing")
    (scene, _), (unseen, made) = scenes
    model = boosting.fitted(list(boosting.drawn(scene, np.random.default_rng(0), most=3000)), task(boosting))
    blocks, arrays = boosting.gathered({"made_b_0": boosting.scored(model, unseen, task(boosting), 3)})
    found = boosting.Counts({"view": "fused"}, tuple(blocks), arrays).confusion()
    assert sorted(blocks) == [("made_b_0", row, col) for row in range(2) for col in range(3)]
    seen = (made.validity == 0) & (made.label != IGNORE_INDEX)
    truth = [int((made.label[seen] == label).sum()) for label in range(3)]
    assert found.sum((0, 2)).tolist() == truth
    assert np.trace(found.sum(0)) / found.sum() > 0.9


def test_a_kept_result_is_read_until_the_task_the_data_or_the_code_differ(
    boosting: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("made_a_0", "made_b_0"):
        folder = tmp_path / "quick" / "work" / "scenes" / name
        folder.mkdir(parents=True)
        (folder / "pair.json").write_text(name)
    runs: list[Any] = []

    def run(task: Any, _: Path) -> Any:
        runs.append(task)
        return boosting.Counts(
            {"cpu_s": len(runs)}, (("made_b_0", 0, 1),), {"confusion clear fused": np.ones((1, 2, 2))}
        )

    monkeypatch.setattr(boosting, "fitted_and_scored", run)

    def number(iterations: int = 10) -> int:
        return boosting.kept(task(boosting, iterations), tmp_path).about["cpu_s"]

    assert [number(), number(), number(20), number()] == [1, 1, 2, 1]
    (tmp_path / "quick" / "work" / "scenes" / "made_a_0" / "pair.json").write_text("other")
    assert number() == 3
    monkeypatch.setattr(boosting, "stage_code", lambda _: "other")
    assert number() == 4


def test_without_scikit_learn_there_is_no_baseline(
    boosting: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(boosting, "PEER", None)
    assert boosting.baselines("quick", SimpleNamespace()) == {}
    assert "scikit-learn is missing" in capsys.readouterr().out
