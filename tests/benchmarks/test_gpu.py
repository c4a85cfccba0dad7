"""The GPU benchmark, as a test run on the CPU."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def gpu(benchmark_module: Callable[[str], ModuleType]) -> ModuleType:
    """Return benchmarks/gpu.py as a module."""
    return benchmark_module("gpu")


@pytest.fixture(scope="module")
def shared(benchmark_module: Callable[[str], ModuleType]) -> ModuleType:
    """Return benchmarks/gpu_bench.py as a module."""
    return benchmark_module("gpu_bench")


def test_the_quick_run_has_all_sections(gpu: ModuleType, tmp_path: Path):
    result = tmp_path / "gpu.json"
    command = [sys.executable, BENCHMARKS / "gpu.py", "--device", "cpu", "--quick", "--result", result]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == json.loads(result.read_text())
    assert set(gpu.SECTIONS) <= set(found)
    assert found["failed"] == {} and found["left_out"] == []


def test_a_failed_section_is_recorded_and_the_others_run(
    gpu: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    def fails(_: Any, figures: dict[str, Any]):  # noqa: ANN401
        figures["before"] = 1
        raise ValueError("deliberate")

    def works(_: Any, figures: dict[str, Any]):  # noqa: ANN401
        figures["value"] = float("nan")

    sections = {name: gpu.Section(run, 5) for name, run in {"bad": fails, "good": works}.items()}
    bench = gpu.Bench(torch.device("cpu"), True, tmp_path)
    found = gpu.run_sections(bench, sections, minutes=1, result=tmp_path / "gpu.json")
    assert found["failed"] == {"bad": "ValueError: deliberate"} and found["bad"]["before"] == 1
    assert json.loads((tmp_path / "gpu.json").read_text())["good"]["value"] is None
    shown = capsys.readouterr()
    assert "bad: FAILED" in shown.out and "Traceback" in shown.err


def test_a_section_stops_at_its_time_limit(gpu: ModuleType, tmp_path: Path):
    sections = {"endless": gpu.Section(lambda *_: time.sleep(30), 0.2)}
    found = gpu.run_sections(gpu.Bench(torch.device("cpu"), True, tmp_path), sections, minutes=1, result=None)
    assert (
        list(found["failed"]) == ["endless"]
        and "SectionTimeError" in found["failed"]["endless"]
        and found["endless"]["seconds"] < 5
    )


def test_sections_are_skipped_after_the_time_limit(gpu: ModuleType, tmp_path: Path):
    sections = {"late": gpu.Section(lambda *_: None, 5)}
    found = gpu.run_sections(gpu.Bench(torch.device("cpu"), True, tmp_path), sections, minutes=0, result=None)
    assert found["left_out"] == ["late"] and "late" not in found


def test_operations_of_a_depthwise_convolution(shared: ModuleType):
    conv = nn.Conv2d(64, 64, 7, padding=3, groups=64)
    image = torch.randn(2, 64, 16, 16, requires_grad=True)
    forward = 2 * 2 * 64 * 49 * 16 * 16
    assert shared.operations(lambda: conv(image)) == forward
    assert shared.operations(lambda: conv(image).sum().backward()) == 3 * forward


def test_a_difference_beyond_the_tolerance_is_an_error(shared: ModuleType):
    figures = {}
    shared.check(figures, "loss", 0.5, 1)
    for value in (2.0, float("nan")):
        with pytest.raises(shared.ComparisonError, match="loss"):
            shared.check(figures, "loss", value, 1)
    assert figures["loss_tolerance"] == 1


def test_overlapping_spans_are_counted_once(shared: ModuleType):
    assert shared.covered([(4, 5), (0, 2), (1, 3), (1.5, 2)]) == 4
    assert shared.covered([]) == 0
