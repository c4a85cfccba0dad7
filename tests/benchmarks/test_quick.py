"""Every benchmark runs with `--quick`, on synthetic data, and gives the figures of the full run."""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]
BENCHMARKS = PROJECT / "benchmarks"
PROGRAMS = sorted(path.stem for path in BENCHMARKS.glob("*.py") if 'if __name__ == "__main__"' in path.read_text())
STARTED_BY = {"accuracy_runs": "accuracy", "faults_injected": "workflow_faults"}
"""Programs started by another one, also with `--quick`."""

WITH_OWN_TEST = {name for name in PROGRAMS if (Path(__file__).parent / f"test_{name}.py").exists()}
RUN_HERE = [name for name in PROGRAMS if name not in WITH_OWN_TEST and name not in STARTED_BY]
WITH_WORK_FOLDER = {"accuracy", "rims"}

LEFT_OUT: dict[str, set[str]] = {
    "ddp": {"averaged_losses_cosine_2", "averaged_losses_cosine_8"},
    "training_speed": {"data_wait_share_256"},
}
"""Figures of the full run that the quick run does not have."""

OF_OTHER_TOOLS: dict[str, set[str]] = {"mosaic": {"cpu_s_gdal", "cpu_s_newer", "rss_mb_gdal", "rss_mb_newer"}}
"""Figures that need tools that may be missing."""

Check = Callable[[dict[str, Any]], bool]
TRUE_AT_ANY_SIZE: dict[str, tuple[Check, ...]] = {
    "ddp": (
        lambda found: found["max_loss_diff"] < 1e-9,
        lambda found: found["max_grad_diff"] < 1e-9,
        lambda found: found["confusion_equal"] is True,
    ),
    "explanations": (
        lambda found: found["grounded_share"] == 1,
        lambda found: found["fallback_share"] == found["false_reason_rate"] == 0,
    ),
    "inference": (lambda found: found["identity_ok"] is True, lambda found: found["seam_sigma"] < 1e-3),
    "metrics": (
        lambda found: found["equal"] in (True, None),
        lambda found: set(found["coverage_by_blocks"]["5 blocks"]) == {"oa", "miou"},
    ),
    "area": (lambda found: found["draw_mb"] < 500, lambda found: found["bias_vs_counting"] < 0.3),
    "mosaic": (lambda found: found["differ_outside_overlaps"] in (0, None),),
    "radiometry": (lambda found: found["faults"] > 0, lambda found: found["gate_found"] > 0.5),
    "registration": (
        lambda found: found["srif_good_right"] == 1,
        lambda found: found["known_warp_largest_px"] < 0.3,
        lambda found: max(found["control_point_ratio"].values()) < 1.5,
        lambda found: max(each["rmse_px"] for each in found["mmim"].values()) < 1,
    ),
    "registration_peers": (lambda found: 0 < found["rmse_px"]["clairemap"] < 0.5,),
    "report": (lambda found: found["size_mb"] < 30, lambda found: found["console_errors"] in (0, None)),
    "rims": (lambda found: set(found["sets"]["made"]) == {"without", "with"},),
    "accuracy": (
        lambda found: len([name for name in found["sets"]["quick"]["miou"] if not name.startswith("boosting")]) == 9,
        lambda found: found["fused_minus_boosting"] is not None or importlib.util.find_spec("sklearn") is None,
    ),
    "workflow_faults": (
        lambda found: found["faults_tried"] == found["faults_survived"] == found["faults_identical"] == 3,
        lambda found: found["faults_told"] == 3,
    ),
    "workflow": (
        lambda found: found["jobs"] > 5 * found["scenes"],
        lambda found: max(found["files_per_scene"].values()) <= 60,
    ),
    "deliver": (
        lambda found: found["small_left"] == 0,
        lambda found: abs(found["area_off"]) < 1e-9,
        lambda found: found["right_dissolved"] > found["right_before"],
    ),
    "sources_labels": (lambda found: found["differ"] in (0, None), lambda found: found["rss_ratio_4x"] < 1.5),
    "sources": (
        lambda found: found["product_vs_stack"] < 3,
        lambda found: found["product_mb"] < 1.2 * found["stack_mb"],
        lambda found: 1 < found["http_bytes_ratio"] <= 1.15,
    ),
    "training_speed": (lambda found: found["rift_gradient_off_by"] < 1e-4,),
}


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_programs_are_found():
    assert {"accuracy", "ddp", "inference", "mosaic", "radiometry", "registration"} < set(RUN_HERE)


@pytest.mark.parametrize(("name", "starter"), STARTED_BY.items())
def test_every_program_without_quick_run_is_started_by_another(name: str, starter: str):
    assert starter in RUN_HERE
    assert any(f'"{name}.py"' in path.read_text() for path in BENCHMARKS.glob("*.py"))


@pytest.mark.parametrize("name", RUN_HERE)
def test_quick(name: str, tmp_path: Path):
    results = digests(BENCHMARKS / "results")
    here = {path for path in PROJECT.iterdir() if path.name != "__pycache__"}
    extra = ["--work", str(tmp_path / "work")] if name in WITH_WORK_FOLDER else []
    run = subprocess.run(
        [sys.executable, str(BENCHMARKS / f"{name}.py"), "--quick", *extra],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROJECT / "src")},
        check=False,
    )
    assert run.returncode == 0, f"{name} --quick failed:\n{run.stdout[-2000:]}\n{run.stderr[-4000:]}"
    found = json.loads(run.stdout.splitlines()[-1], parse_constant=not_json)
    assert isinstance(found, dict) and len(run.stdout.splitlines()) > 1
    published = BENCHMARKS / "results" / f"{name}.json"
    if published.exists():
        expected = set(json.loads(published.read_text()))
        assert expected - LEFT_OUT.get(name, set()) - set(found) <= OF_OTHER_TOOLS.get(name, set())
        assert set(found) <= expected
    for number, check in enumerate(TRUE_AT_ANY_SIZE[name]):
        assert check(found), f"check {number} of {name}: {found}"
    assert digests(BENCHMARKS / "results") == results
    assert {path for path in PROJECT.iterdir() if path.name != "__pycache__"} == here


def not_json(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
