"""Estimated run time of jobs."""

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import rasterio

from clairemap.artefacts.history import HistoryStep, write_history
from clairemap.artefacts.model_card import write_model_card
from clairemap.operations import scene_sizes as sizes
from clairemap.operations.costs import DEMO, GPU_SLOWDOWN, ON_GPU, OPERATIONS, Costs, Rate, benchmark_seconds
from clairemap.operations.plan_text import SOURCES
from clairemap.operations.planned import PlannedJob
from clairemap.outputs import ModelFolder
from clairemap.plan import Plan

PROJECT = Path(__file__).parents[3]
HEADER = "s\th:m:s\tmax_rss\n"
SIDES = {"small": 100, "large": 200, "next": 400}


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    rows = ["scene,region,split,optical,sar,label"]
    for name, side in SIDES.items():
        with rasterio.open(
            tmp_path / f"{name}.tif", "w", driver="GTiff", width=side, height=side, count=1, dtype="uint8"
        ) as file:
            file.write(np.zeros((1, side, side), np.uint8))
        rows.append(f"{name},alps,train,{name}.tif,,{name}_label.tif")
    (tmp_path / "scenes.csv").write_text("\n".join(rows) + "\n")
    settings = {
        "scenes": str(tmp_path / "scenes.csv"),
        "data_dir": str(tmp_path),
        "work_dir": str(tmp_path / "work"),
        "training": {"steps": 100, "batch_size": 2, "crop_px": 128},
    }
    return Plan.read(settings, tmp_path)


def benchmark(plan: Plan, name: str, seconds: float) -> None:
    path = Path(plan.settings.work_dir) / "benchmarks" / f"{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEADER}{seconds}\t0:00:01\t100\n")


def job(rule: str, scene: str | None = None, region: str | None = None, gpus: int = 0) -> PlannedJob:
    return PlannedJob(rule, scene or region or "", scene, region, region, gpus=gpus)


def test_without_benchmarks_the_demo_counts(plan: Plan):
    costs = Costs.of(plan)
    assert costs.seconds(job("tile_scene", "next")) == pytest.approx(DEMO["tile_scene"].seconds(0.16))
    assert costs.source(job("tile_scene", "next")) == "demo"
    assert costs.source(job("predict_scene", "next", gpus=1)) == "gpu"
    assert costs.seconds(job("a_new_rule", "next")) is None and costs.source(job("a_new_rule")) == "unknown"


def test_benchmarks_are_scaled_by_scene_size(plan: Plan):
    start_s = DEMO["tile_scene"].start_s
    benchmark(plan, "tile_scene/small", start_s + 1)
    benchmark(plan, "tile_scene/large", start_s + 4)
    costs = Costs.of(plan)
    assert costs.seconds(job("tile_scene", "next")) == pytest.approx(start_s + 16)
    assert costs.source(job("tile_scene", "next")) == "recorded"


def test_jobs_of_a_region_and_of_all_scenes_count_the_megapixels_of_their_scenes(plan: Plan):
    benchmark(plan, "mosaic_region/alps.alps", 30)
    benchmark(plan, "fit_statistics", 20)
    benchmark(plan, "audit_splits/alps", 10)
    costs = Costs.of(plan)
    assert costs.seconds(job("audit_splits", region="alps")) == pytest.approx(10)
    assert costs.seconds(job("mosaic_region", region="alps")) == pytest.approx(30)
    assert costs.seconds(job("fit_statistics")) == pytest.approx(20)


def test_training_grows_with_steps_and_network(plan: Plan):
    seconds = Costs.of(plan).seconds(job("train_model"))
    assert seconds == pytest.approx(DEMO["train_model"].seconds(100 * 2 * 128**2 / 1e6))
    larger = plan.settings.model_copy(
        update={
            "training": plan.settings.training.model_copy(update={"steps": 200}),
            "network": plan.settings.network.model_copy(update={"size": "small"}),
        }
    )
    other = Costs.of(Plan(larger, plan.sheet)).seconds(job("train_model"))
    assert other is not None and seconds is not None and other > 10 * seconds


def test_rates_on_a_gpu_are_those_of_the_benchmark():
    measured = json.loads((PROJECT / "benchmarks" / "results" / "gpu.json").read_text())
    card = f"one {measured['gpu'].removeprefix('NVIDIA ')} GPU"
    assert card in SOURCES["gpu"] and card in (PROJECT / "docs" / "operations.md").read_text()
    steps = {size: measured[f"steps_{size}"] for size in OPERATIONS}
    step_s = {size: each["bfloat16"]["ms"] / 1000 for size, each in steps.items()}
    step_mpx = steps["tiny"]["batch"] * steps["tiny"]["crop_px"] ** 2 / 1e6
    assert ON_GPU["train_model"].mpx_s == pytest.approx(step_s["tiny"] / step_mpx, rel=0.2)
    assert {size: step_s[size] / step_s["tiny"] for size in step_s} == pytest.approx(GPU_SLOWDOWN, rel=0.2)
    assert ON_GPU["predict_scene"].mpx_s == pytest.approx(1 / measured["mapping"]["float32"]["mpx_per_s"], rel=0.2)


def test_explanations_with_a_language_model_are_unknown(plan: Plan):
    explain = plan.settings.explain.model_copy(update={"model": "phi"})
    costs = Costs.of(Plan(plan.settings.model_copy(update={"explain": explain}), plan.sheet))
    assert costs.seconds(job("explain_tiles", "small")) is None
    assert costs.seconds(job("summarize_region", "small")) is None


def test_damaged_benchmarks_are_ignored(plan: Plan, tmp_path: Path):
    (tmp_path / "broken.tsv").write_text("no table")
    assert benchmark_seconds(tmp_path / "broken.tsv") is None
    assert benchmark_seconds(tmp_path / "absent.tsv") is None
    benchmark(plan, "tile_scene/gone", 5)
    (Path(plan.settings.work_dir) / "benchmarks" / "tile_scene" / "small.tsv").write_text("")
    assert Costs.of(plan).source(job("tile_scene", "next")) == "recorded"


def test_of_many_scenes_some_sizes_are_read_and_the_others_count_as_their_mean(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sizes, "MOST_READ", 2)
    found = sizes.scene_sizes(plan.sheet)
    assert found == pytest.approx({"large": 0.04, "small": 0.01, "next": 0.025})


def test_scenes_that_cannot_be_read_have_the_mean(plan: Plan, tmp_path: Path):
    (tmp_path / "large.tif").unlink()
    (tmp_path / "next.tif").write_text("not a raster")
    assert sizes.scene_sizes(plan.sheet) == pytest.approx(dict.fromkeys(SIDES, 0.01))
    (tmp_path / "small.tif").unlink()
    assert sizes.scene_sizes(plan.sheet) == {}


def test_a_rate_is_a_start_and_a_time_per_megapixel():
    assert Rate(2, 3).seconds(4) == 14


def test_benchmarks_of_a_region_that_is_gone_are_ignored(plan: Plan):
    benchmark(plan, "mosaic_region/gone.gone", 30)
    benchmark(plan, "audit_splits/gone", 30)
    assert Costs.of(plan).source(job("mosaic_region", region="alps")) == "demo"
    assert Costs.of(plan).source(job("audit_splits", region="alps")) == "demo"


def test_a_benchmark_shorter_than_the_start_of_the_demo_is_kept(plan: Plan):
    benchmark(plan, "tile_scene/small", 0.3)
    assert Costs.of(plan).seconds(job("tile_scene", "large")) == pytest.approx(0.3)


@pytest.fixture
def trained(plan: Plan, made_artefacts: ModuleType) -> Plan:
    """Return the plan after a training of 50 steps, 2 s each, of a tiny network."""
    files = ModelFolder(Path(plan.settings.work_dir) / "model")
    card = made_artefacts.model_card()
    training = plan.settings.training.model_dump(mode="json")
    write_model_card(files.card, card.model_copy(update={"settings": {"training": training}}))
    write_history(files.history, [HistoryStep(step, 2.0, 0, 1, 1, 1, 1e-3, 1) for step in range(1, 51)])
    return plan


def of_size(plan: Plan, size: str) -> Costs:
    network = plan.settings.network.model_copy(update={"size": size})
    return Costs.of(Plan(plan.settings.model_copy(update={"network": network}), plan.sheet))


def test_a_finished_training_counts_by_its_steps_or_its_benchmark(trained: Plan):
    start_s = DEMO["train_model"].start_s
    benchmark(trained, "train_model", 30)  # the last attempt, after an interruption
    assert Costs.of(trained).seconds(job("train_model")) == pytest.approx(start_s + 200)
    benchmark(trained, "train_model", start_s + 150)
    assert Costs.of(trained).seconds(job("train_model")) == pytest.approx(start_s + 300)


def test_a_larger_network_than_the_trained_one_takes_longer(trained: Plan):
    factor = OPERATIONS["small"] / OPERATIONS["tiny"]
    start_s = {rule: DEMO[rule].start_s for rule in ("train_model", "predict_scene")}
    benchmark(trained, "predict_scene/small.fused", start_s["predict_scene"] + 1)
    costs = of_size(trained, "small")
    assert costs.seconds(job("train_model")) == pytest.approx(start_s["train_model"] + 200 * factor)
    assert costs.seconds(job("predict_scene", "small")) == pytest.approx(start_s["predict_scene"] + factor)
