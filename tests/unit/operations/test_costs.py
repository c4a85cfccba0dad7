"""Estimated run time of jobs."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from clairemap.operations import scene_sizes as sizes
from clairemap.operations.costs import DEMO, Costs, Rate, benchmark_seconds
from clairemap.operations.planned import PlannedJob
from clairemap.plan import Plan

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
    costs = Costs.of(plan)
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


def test_explanations_with_a_language_model_are_unknown(plan: Plan):
    explain = plan.settings.explain.model_copy(update={"model": "phi"})
    costs = Costs.of(Plan(plan.settings.model_copy(update={"explain": explain}), plan.sheet))
    assert costs.seconds(job("explain_tiles", "small")) is None


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
