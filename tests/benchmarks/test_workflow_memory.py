from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from clairemap.attempts.records import ENDED, STARTED, append, kept


@pytest.fixture(scope="module")
def module(benchmark_module: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark_module("workflow_memory")


def add(log: Path, asked_mb: int, *peaks_mb: int, cause: str = "done") -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    for number, peak_mb in enumerate(peaks_mb):
        append(log, STARTED, {"id": str(number), "memory_mb": asked_mb})
        append(log, ENDED, {"id": str(number), "peak_mb": peak_mb, "cause": cause})
    log.hardlink_to(kept(log))


def test_each_rule_has_the_ratio_of_its_worst_job(tmp_path: Path, module: ModuleType):
    logs = tmp_path / "logs"
    add(logs / "tile_scene" / "west.log", 600, 100, 260)
    add(logs / "tile_scene" / "east.log", 600, 160)
    add(logs / "predict_scene" / "west.fused.log", 600, 960)
    add(logs / "predict_scene" / "east.fused.log", 600, 60)
    add(logs / "train_model.log", 1000, 160, cause="out of memory")
    assert module.asked_over_used(tmp_path) == {"tile_scene": 1.5, "predict_scene": 0.5}
