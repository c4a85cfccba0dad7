"""The protocol of the accuracy benchmark: intervals, counts per block, conditions. `test_quick` runs all of it."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from clairemap.artefacts.statistics import BandStatistics, TrainingStatistics
from clairemap.classes import IGNORE_INDEX
from clairemap.grid.window import Window
from clairemap.raster.store import open_store

Load = Callable[[str], ModuleType]


@pytest.fixture(scope="module")
def load(benchmark_module: Load) -> Load:
    """Return the function that imports a module of the accuracy benchmark; "" is the benchmark itself."""
    return lambda name: benchmark_module(f"accuracy_{name}" if name else "accuracy")


def sides(load: Load, one: Any, other: Any, events: list[str]) -> tuple[Any, Any]:  # noqa: ANN401
    """Return both sides of a fold from accuracies (seed, block) of two classes with 5,000 px each per block."""
    side = load("intervals").Side
    made = []
    for accuracy in (one, other):
        right = np.rint(5000 * np.asarray(accuracy, float))[..., None].repeat(2, -1)
        labelled = np.full_like(right, 5000)
        made.append(side(np.stack([right, labelled, labelled], -2), np.array(events)))
    return made[0], made[1]


def test_figures_are_means_of_events_then_folds(load: Load):
    intervals = load("intervals")
    one = sides(load, [[0.8, 0.8, 0.8, 0.5]], [[0.6, 0.6, 0.6, 0.5]], ["a", "a", "a", "b"])
    other = sides(load, [[0.5]], [[0.5]], ["c"])
    found = intervals.differences([one, other], [intervals.miou] * 2, draws=50)
    of_a = 0.8 / 1.2 - 0.6 / 1.4
    assert found.folds == pytest.approx((of_a / 2, 0)) and found.value == pytest.approx(of_a / 4)


def test_a_difference_that_is_everywhere_has_an_interval_above_zero(load: Load):
    intervals, rng = load("intervals"), np.random.default_rng(0)
    events = ["a"] * 20 + ["b"] * 20
    base = [rng.uniform(0.5, 0.8, (2, 40)) for _ in range(3)]
    better = [sides(load, each + 0.05, each, events) for each in base]
    equal = [sides(load, each + rng.normal(0, 0.03, each.shape), each, events) for each in base]
    low, high = ((found := intervals.differences(better, [intervals.miou] * 3, draws=400)).low, found.high)
    assert 0.04 < low < found.value < high < 0.09
    undecided = intervals.differences(equal, [intervals.miou] * 3, draws=400)
    assert undecided.low < 0 < undecided.high


def test_one_bad_fold_decides(load: Load):
    intervals = load("intervals")
    folds = [sides(load, [[0.7 + gain] * 8], [[0.7] * 8], ["a"] * 4 + ["b"] * 4) for gain in (0.1, 0.1, -0.02)]
    found = intervals.differences(folds, [intervals.miou] * 3, draws=2000)
    assert found.value > 0.05 and found.low < 0


def test_intervals_contain_the_truth(load: Load):
    """Three folds with two events each; effects of event, seed and block."""
    intervals, rng, hits = load("intervals"), np.random.default_rng(1), 0
    worlds = 60
    for _ in range(worlds):
        folds = []
        for _ in range(3):
            effect = np.repeat(rng.normal(0, 0.03, 2), 30) + rng.normal(0, 0.02, (3, 1)) + rng.normal(0, 0.05, 60)
            base = 0.7 + rng.normal(0, 0.05, 60)
            folds.append(sides(load, base + effect / 2, base - effect / 2, ["a"] * 30 + ["b"] * 30))
        found = intervals.differences(folds, [intervals.miou] * 3, draws=300)
        hits += found.low <= 0 <= found.high
    assert hits / worlds >= 0.9


@pytest.mark.parametrize(("events", "share"), [(1, 0.025), (6, 0.0024), (1000, 0.0249)])
def test_few_events_widen_the_interval(load: Load, events: int, share: float):
    assert load("intervals").tail_share(events) == pytest.approx(share, rel=0.02)


def test_blocks_that_one_network_lacks_are_left_out(load: Load):
    intervals = load("intervals")
    one, other = sides(load, [[0.8, 0.9]], [[0.7, 0.1]], ["a", "a"])
    other.sums[:, 1] = 0
    assert intervals.differences([(one, other)], [intervals.miou], draws=10).value == pytest.approx(
        0.8 / 1.2 - 0.7 / 1.3
    )
    with pytest.raises(ValueError, match="different shape"):
        intervals.differences([(one, intervals.Side(other.sums[:, :1], other.events[:1]))], [intervals.miou])


def test_rank_correlation(load: Load):
    rank = load("intervals").rank_correlation
    assert rank([1, 2, 3, 4], [10, 20, 25, 90]) == pytest.approx(1)
    assert rank([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    assert rank([1, 2, 2, 4], [1, 2, 3, 4]) == pytest.approx(0.9487, abs=1e-4)  # as scipy.stats.spearmanr


def test_each_block_has_its_matrix(load: Load):
    counts = load("counts")
    rng = np.random.default_rng(0)
    truth = rng.choice(np.array([0, 1, 2, IGNORE_INDEX], np.uint8), (512, 768))
    mapped = rng.integers(0, 3, truth.shape).astype(np.uint8)
    found = counts.block_matrices(truth, mapped, 3)
    assert found.shape == (2, 3, 3, 3)
    block = np.s_[256:512, 512:768]
    assert found[1, 2, 0, 1] == ((truth[block] == 0) & (mapped[block] == 1)).sum()
    assert found.sum() == (truth != IGNORE_INDEX).sum()
    right, labelled, of_map = counts.sums_of(found)[1, 2]
    assert right.sum() == (truth == mapped)[block].sum()
    assert labelled.sum() == of_map.sum() == (truth[block] != IGNORE_INDEX).sum()


def calibrated_block(seed: int, spread: float) -> tuple[Any, Any]:
    """Return logits of three classes (3, 256, 256) and labels drawn from their probabilities."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, spread, (3, 256, 256)).astype(np.float32)
    odds = np.exp(logits)
    truth = (rng.random((256, 256)) * odds.sum(0) > odds.cumsum(0)[:2]).sum(0).astype(np.uint8)
    return logits, truth


def test_confidences_at_the_true_temperature_are_calibrated(load: Load):
    """Logits that are three times too large: temperature 3 has the smallest calibration error and likelihood."""
    counts = load("counts")
    logits, truth = calibrated_block(0, 1)
    truth[:4] = IGNORE_INDEX
    found = counts.confidences(3 * logits, truth, 3.0)
    bins, nll = found["bins"], found["nll"]
    errors = [counts.calibration_error(each) for each in bins]
    assert errors[0] < 0.02 and errors[1 + counts.TEMPERATURES.index(1.0)] > 0.15
    assert nll[0] == pytest.approx(nll[1:].min(), rel=0.01) and nll[0] <= nll[1:].min()
    assert bins[0, 0].sum() == -(-252 * 256 // counts.STRIDE)


def test_probabilities_are_counted_in_bins_of_their_odds(load: Load):
    counts = load("counts")
    assert counts.ODDS_BINS == 100 and counts.ODDS_RANGE == (-7, 7)
    low, odd, high = (counts.odds_bin(np.array([p]), np.array([1 - p]))[0] for p in (0.0, 0.49, 1.0))
    assert (low, odd, high) == (0, 49, 99)
    assert counts.odds_bin(np.array([0.51]), np.array([0.49]))[0] == 50
    logits, truth = calibrated_block(0, 3)
    found = counts.confidences(logits, truth, 1.0)["odds"][0]
    p = np.exp(logits - logits.max(0))
    p = (p / p.sum(0)).reshape(3, -1)[:, :: counts.STRIDE]
    labels = p[truth.ravel()[:: counts.STRIDE], np.arange(p.shape[1])]
    for kind, each in enumerate((labels, p)):
        assert found[kind, 50:].sum() == (each >= 0.5).sum()
        assert found[kind].sum() == each.size


def odds_counts(load: Load, scenes: dict[str, float], trained: float) -> Any:  # noqa: ANN401
    """Return the counts of a training whose logits are too large, by a factor for each scene."""
    counts = load("counts")
    blocks = tuple((scene, 0, 0) for scene in scenes)
    found = [
        counts.confidences(factor * logits, truth, trained)
        for number, factor in enumerate(scenes.values())
        for logits, truth in [calibrated_block(number, 2)]
    ]
    return counts.Counts({}, blocks, {name: np.stack([each[name] for each in found]) for name in found[0]})


def test_conformal_sets_cover_events_like_those_that_were_held_out(load: Load):
    """All events are three times too confident, and the training knows nothing of it."""
    conformal = load("calibration").conformal
    tested = [[odds_counts(load, {"flood_a": 3, "flood_b": 3}, 1.0)]]
    inner = [[odds_counts(load, {"flood_c": 3, "flood_d": 3}, 1.0)]]
    found = conformal(tested, inner)
    assert found["conformal_coverage"] == pytest.approx(0.9, abs=0.01)
    assert found["conformal_coverage_worst"] == pytest.approx(0.9, abs=0.01)
    assert found["conformal_coverage_before"] < 0.8
    assert 0.9 < found["conformal_size_before"] < found["conformal_size"] < 2
    without = conformal(tested, [[]])
    assert without["conformal_coverage"] is without["conformal_size"] is without["conformal_coverage_worst"] is None


def test_sets_of_right_probabilities_cover_without_held_out_events(load: Load):
    found = load("calibration").conformal([[odds_counts(load, {"flood_a": 3, "flood_b": 3}, 3.0)]], [[]])
    assert found["conformal_coverage_before"] == pytest.approx(0.9, abs=0.01)


def test_events_unlike_the_held_out_ones_are_not_covered(load: Load):
    tested = [[odds_counts(load, {"flood_a": 1, "flood_b": -1}, 1.0)]]
    found = load("calibration").conformal(tested, [[odds_counts(load, {"flood_c": 1}, 1.0)]])
    assert found["conformal_coverage_worst"] < 0.5 < found["conformal_coverage"] < 0.8


def test_counts_are_read_as_written(load: Load, tmp_path: Path):
    counts, conditions = load("counts"), load("conditions")
    matrix = np.arange(8, dtype=np.int32).reshape(2, 2, 2)
    arrays = {"confusion clear fused": matrix, "confusion clear sar": matrix + 1}
    made = counts.Counts({"view": "fused", "class_px": [5, 0, 3]}, (("made_a_0", 0, 1), ("made_b_0", 2, 3)), arrays)
    made.write(tmp_path / "x.npz")
    found = counts.Counts.read(tmp_path / "x.npz")
    assert (found.blocks, found.events.tolist(), found.rarest) == (made.blocks, ["made_a", "made_b"], 2)
    assert np.array_equal(found.confusion(), matrix)
    overcast = conditions.CONDITIONS["clouds 1 mask withheld"]
    assert np.array_equal(found.confusion(overcast, "sar"), matrix + 1)  # SAR does not see clouds
    with pytest.raises(KeyError):
        found.confusion(overcast)


BANDS = BandStatistics(bands=("red", "nir"), mean=(100.0, 50.0), std=(20.0, 10.0), p02=(60.0, 30.0), p98=(140.0, 70.0))


@pytest.mark.parametrize("fault", ["gain", "offset", "noise"])
def test_faults_change_all_bands_alike_and_by_seed(load: Load, fault: str):
    conditions = load("conditions")
    rng = np.random.default_rng(3)
    values = np.stack([rng.normal(100, 20, (64, 64)), rng.normal(50, 10, (64, 64))]).astype(np.float32)
    found, again = (conditions.with_fault(values, fault, BANDS, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(found, again) and found.dtype == np.float32
    change = (found - values).mean((1, 2)) / np.array(BANDS.std)
    contrast = found.std((1, 2)) / values.std((1, 2))
    if fault == "gain":
        assert np.allclose(contrast, contrast[0], rtol=0.25) and not 0.6 < contrast[0] < 1.7
    elif fault == "offset":
        assert np.allclose(np.abs(change), 1, atol=0.11) and np.allclose(contrast, 1)
    else:
        assert np.allclose(contrast, 2**0.5, rtol=0.1) and np.abs(change).max() < 0.1
    assert conditions.within(found + 300, np.dtype("uint8")).max() == 255


@pytest.fixture(scope="module")
def read_scene(load: Load, made_pairs: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """Return a scene of 512 x 768 px as the benchmark reads it, without normalisation, and its arrays."""
    made = made_pairs.make_scene(tmp_path_factory.mktemp("pair"), "made_a_0", shape=(512, 768))
    sar = BandStatistics(bands=("VV",), mean=(-15.0,), std=(5.0,), p02=(-24.0,), p98=(-4.0,))
    statistics = TrainingStatistics(BANDS, sar, (1, 1, 1), 3, ("made_b_0",), "db")
    unscaled = SimpleNamespace(normalise=lambda batch: batch)
    job = SimpleNamespace(statistics=statistics, scales=unscaled, matches=lambda stores: {})  # noqa: ARG005
    return load("runs").TestScene("made_a_0", open_store(made.pair), job), made


def test_windows_are_whole_blocks_with_labels_that_both_sensors_see(load: Load, read_scene: tuple[Any, Any]):
    scene, made = read_scene
    assert [window.shape for window in scene.windows(9)] == [(512, 512), (512, 256)]
    assert scene.windows(1) == scene.windows(9)[:1]
    batch = scene.batch(scene.windows(9)[0], 0, load("conditions").CLEAR)
    seen = (made.validity[:, :512] == 0) & (made.label[:, :512] != IGNORE_INDEX)
    assert np.array_equal(batch.target[0].numpy() != IGNORE_INDEX, seen)


def test_displaced_sar_fills_the_window_and_keeps_the_scored_pixels(load: Load, read_scene: tuple[Any, Any]):
    (scene, made), conditions = read_scene, load("conditions").CONDITIONS
    window = scene.windows(9)[0]
    still, moved = (scene.batch(window, 0, conditions[name]) for name in ("clear", "displaced 8"))
    down, right = conditions["displaced 8"].sar_offset(0).down_px, conditions["displaced 8"].sar_offset(0).right_px
    assert (down, right) == (0, 8)
    assert np.array_equal(moved.sar[0, 0, :, 16:].numpy(), made.sar[0, :, 24:520])
    assert moved.sar_weight[0, 0, :, 16:].min() == 1
    assert (moved.target == still.target).all() and (moved.optical == still.optical).all()


def test_clouds_and_faults_change_one_sensor_and_no_label(load: Load, read_scene: tuple[Any, Any]):
    (scene, _), conditions = read_scene, load("conditions").CONDITIONS
    window = scene.windows(9)[1]
    still = scene.batch(window, 1, conditions["clear"])
    for name in ("clouds 0.5 mask given", "clouds 0.5 mask withheld", "sar noise", "sar offset", "optical gain"):
        found, again = (scene.batch(window, 1, conditions[name]) for _ in range(2))
        assert all(map(torch.equal, found, again)) and torch.equal(found.target, still.target)
        assert torch.equal(found.sar, still.sar) == (conditions[name].sensor != "sar")
        assert torch.equal(found.optical, still.optical) == (conditions[name].sensor != "optical")
        given = name.endswith("given")
        kept = found.optical_weight.mean() / still.optical_weight.mean()
        assert kept == pytest.approx(0.5, abs=0.02) if given else kept == 1


def test_shares_are_means_over_pixels_that_both_sensors_see(load: Load):
    weight = torch.ones(1, 1, 256, 512)
    optical = weight.clone()
    optical[..., 128:256] = 0
    optical[..., 256:] = 0
    batch = SimpleNamespace(optical_weight=optical, sar_weight=weight)
    share = torch.full((1, 1, 64, 128), 0.75)
    share[..., 32:] = 0
    assert np.array_equal(load("runs").block_shares(batch, share), [[0.75, np.nan]], equal_nan=True)


def test_windows_without_a_condition_are_not_counted(load: Load):
    runs = load("runs")
    matrix = np.ones((1, 2, 3, 3), np.int32)
    matrix[0, 1] = 0  # a block without labels
    windows = [
        runs.Scored(Window(0, 0, 256, 512), {"confusion clear fused": matrix}),
        runs.Scored(
            Window(0, 512, 256, 512),
            {"confusion clear fused": matrix, "confusion x fused": 2 * matrix, "share x": np.full((1, 2), 0.5)},
        ),
    ]
    blocks, arrays = runs.gathered({"made_a_0": windows})
    assert blocks == [("made_a_0", 0, 0), ("made_a_0", 0, 2)]
    assert arrays["confusion clear fused"].sum() == 18 and arrays["confusion x fused"][0].sum() == 0
    assert np.array_equal(arrays["share x"], [np.nan, 0.5], equal_nan=True)


def test_conditions_name_what_they_change(load: Load):
    conditions = load("conditions")
    assert len(conditions.CONDITIONS) == 1 + 4 + 4 + 6
    for name, each in conditions.CONDITIONS.items():
        assert each.name == name and "fused" in each.seen_by
        changes = sum(map(bool, (each.coverage, each.displaced_px, each.fault)))
        assert changes == (name != "clear")
    offsets = {conditions.CONDITIONS["displaced 4"].sar_offset(number) for number in range(8)}
    assert len(offsets) == 4 and all(abs(each.down_px) + abs(each.right_px) == 4 for each in offsets)


def test_inner_folds_hold_out_half_of_the_training_events(load: Load):
    places = load("places")
    for name, events in (("floods", 6), ("made", 6), ("small", 8)):
        held_out = [fold.test for fold in places.FOLDS[name]]
        assert len({places.event_of(scene) for scenes in held_out for scene in scenes}) == events
        assert sum(map(len, held_out)) == len({scene for scenes in held_out for scene in scenes})
        for fold in places.FOLDS[name]:
            assert not set(fold.train) & set(fold.test)
            inner = places.inner_folds(fold)
            assert sorted(inner[0].test + inner[1].test) == sorted(fold.train)
            assert all(not set(each.test) & {*each.train, *fold.test} for each in inner)
    assert places.inner_folds(places.FOLDS["quick"][0]) == ()
    assert places.merged({"a": {"x": 1, "y": 2}}, {"a": {"x": 3}}) == {"a": {"x": 3, "y": 2}}


def test_a_task_survives_its_text(load: Load):
    runs, places = load("runs"), load("places")
    task = runs.Task(places.FOLDS["made"][0], 1, 5, {"loss": {"balance": 1.0}}, 2, ("displaced 1",))
    again = runs.Task.of(json.dumps(asdict(task)))
    assert again == task and again.digest == task.digest
    assert runs.Task(places.FOLDS["made"][0], 2, 5).digest != task.digest


@pytest.mark.parametrize(("weight", "expected"), [(1, 1), (0, 0)])
def test_a_confident_view_decides_where_its_sensor_is_usable(load: Load, weight: float, expected: int):
    runs = load("runs")
    odds = {"fused": [0.6, 0.4], "optical": [0.01, 0.99], "sar": [0.55, 0.45]}
    outputs = {
        view: SimpleNamespace(logits=torch.tensor(values).log()[None, :, None, None]) for view, values in odds.items()
    }
    weights = torch.full((1, 1, 1, 1), float(weight)), torch.ones(1, 1, 1, 1)
    batch = SimpleNamespace(optical_weight=weights[0], sar_weight=weights[1])
    assert runs.combined_classes(outputs, batch).tolist() == [[[expected]]]


def made_counts(load: Load, fold: Any, view: str, accuracy: dict[str, float]) -> Any:  # noqa: ANN401
    """Return the counts of a network with known accuracies by condition, `clear` where none is given.

    "optical": of that view as it is; "combined": of the combined views.
    """
    counts, conditions = load("counts"), load("conditions").CONDITIONS
    blocks = tuple((scene, 0, column) for scene in fold.test for column in range(4))
    views = ("fused", "optical", "sar") if view == "fused" else (view,)
    arrays: dict[str, Any] = {}
    for name, condition in conditions.items():
        right = round(1000 * accuracy.get(name, accuracy["clear"]))
        matrix = np.tile([[right, 1000 - right], [1000 - right, right]], (len(blocks), 1, 1))
        for each in set(views) & set(condition.seen_by):
            arrays[f"confusion {name} {each}"] = matrix
        change = {"optical": -0.1, "sar": 0.1, None: 0}[condition.sensor]
        arrays[f"share {name}"] = np.full(len(blocks), 0.5 + change)
    for view_name in ("optical", "combined"):
        right = round(1000 * accuracy.get(view_name, accuracy["clear"]))
        matrix = np.tile([[right, 1000 - right], [1000 - right, right]], (len(blocks), 1, 1))
        arrays[f"confusion clear {view_name}"] = matrix
    temperatures = len(counts.TEMPERATURES)
    bins = np.zeros((len(blocks), 1 + temperatures, 3, counts.BINS))
    bins[:, :, :, 14] = 10, 9.7, 7
    bins[:, 1 + 9, 1, 14] = 7.1  # calibrated with the tenth temperature
    nll = np.full((len(blocks), 1 + temperatures), 8.0)
    nll[:, 1 + 9] = 5
    odds = np.ones((len(blocks), 1 + temperatures, 2, counts.ODDS_BINS), np.int32)
    about = {"view": view, "class_px": [50, 20], "parameters": 10}
    return counts.Counts(about, blocks, {**arrays, "bins": bins, "nll": nll, "odds": odds})


def test_trainings_with_the_same_seeds_are_compared(load: Load):
    folds = load("places").FOLDS["made"]
    accuracies = {"fused": (0.6, 0.9), "longer": (0.7,)}
    networks = {
        name: [[made_counts(load, fold, "fused", {"clear": each}) for each in seeds] for fold in folds]
        for name, seeds in accuracies.items()
    }
    found = load("figures").variants_minus_fused(networks)["longer"]
    assert found.value == pytest.approx(0.7 / 1.3 - 0.6 / 1.4)


def test_a_report_has_the_figures_of_known_counts(load: Load):
    folds = load("places").FOLDS["made"]
    of = {
        "fused": ("fused", {"clear": 0.8, "combined": 0.9, "clouds 1 mask withheld": 0.6, "displaced 8": 0.7}),
        "optical": ("optical", {"clear": 0.75}),
        "sar": ("sar", {"clear": 0.7}),
        "sum": ("fused", {"clear": 0.8, "displaced 8": 0.6}),
        "cross entropy": ("fused", {"clear": 0.78}),
        "alone": ("fused", {"clear": 0.82, "optical": 0.9}),
        "boosting": ("fused", {"clear": 0.6}),
        "boosting scene": ("fused", {"clear": 0.5}),
    }
    trained = {
        name: [[made_counts(load, fold, view, accuracy) for _ in range(2)] for fold in folds]
        for name, (view, accuracy) in of.items()
    }
    trained["boosting scene"][1] = [made_counts(load, folds[1], "fused", {"clear": 0.7})] * 2
    inner = [[seeds[0]] for seeds in trained["fused"]]
    chosen = load("choices").Chosen({"fused": [{}] * 3}, {"fused": [[0.4, 0.2], [0.4, 0.5], [0.4, 0.8]]}, inner)
    found = load("report").report("made", trained, chosen)

    def iou(accuracy: float) -> float:
        return accuracy / (2 - accuracy)

    def close(value: float) -> Any:  # noqa: ANN401
        return pytest.approx(value, abs=1e-9)

    assert found["fused_minus_best_single"] == found["fused_minus_best_single_low"] == close(iou(0.8) - iou(0.75))
    alone = {view: found["alone_minus_fused"][view]["difference"] for view in ("fused", "optical")}
    assert alone == {"fused": close(iou(0.82) - iou(0.8)), "optical": close(iou(0.9) - iou(0.8))}
    assert found["combined_minus_fused"] == close(iou(0.9) - iou(0.8))
    assert found["sar_minus_fused_full_cloud"] == close(iou(0.7) - iou(0.6))
    assert found["sar_minus_fused_full_cloud_masked"] == close(iou(0.7) - iou(0.8))
    assert found["rift_minus_ce_rarest"] == found["rift_minus_ce_miou"] == close(iou(0.8) - iou(0.78))
    assert found["miou_of_candidates"] == {"fused": [close(0.4), close(0.5)]}
    boosted = [iou(0.8) - iou(each) for each in (0.6, 0.7, 0.6)]
    assert found["by_fold"]["fused_minus_boosting"] == [close(each) for each in boosted]
    assert found["fused_minus_boosting"] == close(sum(boosted) / 3)
    assert found["fused_minus_boosting_low"] < found["fused_minus_boosting"] < found["fused_minus_boosting_high"]
    assert found["fused_minus_boosting_worst_event"] == close(boosted[1])
    curve = {px: each["difference"] for px, each in found["cmaf_minus_sum_displaced"].items()}
    assert curve == {"0": 0, "1": 0, "2": 0, "4": 0, "8": close(iou(0.7) - iou(0.6))}
    under = {name: each["difference"] for name, each in found["cmaf_minus_sum_under"].items()}
    assert under.pop("clouds 1 mask withheld") == close(iou(0.6) - iou(0.8))
    assert list(under.values()) == [0] * 9
    assert found["share_of_disturbed"] == found["shares"]["clouds 1 mask withheld"] == 1
    assert (found["ece_unseen"], found["ece_unseen_inner"]) == (close(0.27), close(0.01))
    assert found["conformal_coverage"] == close(0.9)
    assert found["variant_minus_fused"]["sar"]["high"] < 0 and "cmaf_minus_gate" not in found
    assert load("").rank_agreement({"made": trained, "floods": trained}) == close(1)
    assert load("").worst({"made": found, "floods": {**found, "ece_unseen": 0.5}})["ece_unseen"] == 0.5


def test_made_scenes_are_simulated_again_if_the_simulator_changed(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    scenes = load("scenes")
    runs: list[str] = []

    def run(words: list[Any], check: bool) -> None:
        assert check
        options = dict(zip(words[2::2], words[3::2], strict=True))
        place = options["--directory"] / options["--scene"]
        place.mkdir(parents=True)
        runs.append(options["--acquisition"])
        (place / "sar.tif").write_text(f"{len(runs)}")

    def simulated(code: str, size_px: int = 256) -> list[str]:
        monkeypatch.setattr(scenes, "stage_code", lambda _: code)
        scenes.simulated(tmp_path, ("made_a_0", "made_a_1"), size_px)
        return [(tmp_path / "scenes" / f"made_a_{number}" / "sar.tif").read_text() for number in (0, 1)]

    monkeypatch.setattr(scenes.subprocess, "run", run)
    assert simulated("first") == simulated("first") == ["1", "2"]
    assert simulated("second") == simulated("second") == ["3", "4"]
    assert simulated("second", 768) == ["5", "6"]
    (tmp_path / "scenes" / "made_a_1" / scenes.SIMULATED_BY).unlink()  # interrupted
    assert simulated("second", 768) == ["5", "7"]
    assert runs[0] != runs[1]
