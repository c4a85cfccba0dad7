import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
import torch

from clairemap.nets.bundle import Bundle, load_bundle
from clairemap.stages import FitStatistics, TrainModel, stage_json

Stage = Callable[[str], Callable[..., Any]]
SCRIPT = Path(__file__).parents[2] / "workflow" / "scripts" / "train_model.py"


def inputs(stage: Stage, made_pairs: ModuleType, folder: Path, **training: object) -> dict[str, Any]:
    """Return the arguments of train_model for two synthetic scenes, except its outputs."""
    scenes = [made_pairs.make_scene(folder, "a", seed=1), made_pairs.make_scene(folder, "b", seed=2)]
    settings = made_pairs.settings(**training)
    model = {"statistics": folder / "statistics.json", "splits": folder / "splits.parquet"}
    pairs = {"pair": [scene.pair for scene in scenes]}
    stage("fit_statistics")(
        **pairs,
        **model,
        tiles=[scene.tiles for scene in scenes],
        split=["a=train", "b=val"],
        settings=stage_json(settings, FitStatistics),
    )
    return {**pairs, **model, "fingerprint": "code", "settings": stage_json(settings, TrainModel)}


def outputs(folder: Path) -> dict[str, Path]:
    return {
        "weights": folder / "model.safetensors",
        "card": folder / "model.json",
        "history": folder / "history.csv",
        "checkpoints": folder / "checkpoints",
    }


def command_line(arguments: dict[str, Any]) -> list[str]:
    words = []
    for name, value in arguments.items():
        for single in value if isinstance(value, list) else [value]:
            words += [f"--{name}", str(single)]
    return [str(SCRIPT), *words]


def launcher(processes: int) -> list[str]:
    return ["-m", "clairemap.training.launcher", "--processes", str(processes)]


def started(arguments: dict[str, Any], launcher: list[str] | None = None, **environment: str) -> subprocess.Popen[str]:
    """Start train_model on one thread, so that runs are bit-identical."""
    return subprocess.Popen(
        [sys.executable, *(launcher or []), *command_line(arguments)],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


def trained(folder: Path) -> tuple[Bundle, pd.DataFrame]:
    return load_bundle(folder / "model.safetensors", folder / "model.json"), pd.read_csv(folder / "history.csv")


def test_a_trained_model_can_map(stage: Stage, made_pairs: ModuleType, tmp_path: Path):
    stage("train_model")(**inputs(stage, made_pairs, tmp_path, steps=2), **outputs(tmp_path / "model"))
    bundle, history = trained(tmp_path / "model")
    assert list(history["step"]) == [1, 2]
    assert bundle.card.stamp["clairemap_stage"] == "train_model"
    zeros = torch.zeros(1, 1, 128, 128)
    assert bundle.network(zeros.expand(-1, 2, -1, -1), zeros, zeros + 1, zeros + 1).logits.shape == (1, 3, 128, 128)


def same_training(folder: Path, other: Path) -> None:
    (one, history), (two, other_history) = trained(folder), trained(other)
    vectors = [torch.nn.utils.parameters_to_vector(bundle.network.parameters()) for bundle in (one, two)]
    apart = (vectors[0] - vectors[1]).abs()
    # Adam divides by the gradient's magnitude: if that is only rounding, a weight changes by a fraction of 1e-3.
    assert (apart > 1e-5).sum() <= 10 and apart.max() < 1e-3
    for column in ("loss", "focal", "tversky", "grad_norm"):
        assert list(other_history[column]) == pytest.approx(list(history[column]), rel=1e-5)
    for column in ("val_miou", "val_ece"):
        assert other_history[column].iloc[-1] == pytest.approx(history[column].iloc[-1], abs=1e-3)
    assert two.card.temperature == pytest.approx(one.card.temperature, rel=1e-2)


def test_two_processes_give_the_result_of_one_on_one_node_and_on_two(
    stage: Stage, made_pairs: ModuleType, tmp_path: Path
):
    arguments = inputs(stage, made_pairs, tmp_path, steps=3, batch_size=4, validate_every=3, learning_rate=1e-3)
    stage("train_model")(**arguments, **outputs(tmp_path / "one"), device="cpu")

    done = started({**arguments, **outputs(tmp_path / "two"), "device": "cpu"}, launcher(2))
    error = done.communicate()[1]
    assert done.returncode == 0, error
    assert error.count("validation mIoU") == 1  # only the first process logs
    same_training(tmp_path / "one", tmp_path / "two")

    # Two nodes of a SLURM step, both on this machine: the launchers find each other by environment variables only.
    step = {"SLURM_STEP_NUM_NODES": "2", "SLURM_STEP_NODELIST": "localhost", "SLURM_STEP_ID": "0"}
    step["SLURM_JOB_ID"] = str(os.getpid())
    words = {**arguments, **outputs(tmp_path / "nodes"), "device": "cpu"}
    nodes = [started(words, launcher(1), **step, SLURM_NODEID=number) for number in "01"]
    errors = [node.communicate()[1] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], errors
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("two", "nodes")]
    assert weights[0] == weights[1]


def test_a_killed_and_resumed_run_gives_the_same_weights(stage: Stage, made_pairs: ModuleType, tmp_path: Path):
    """SIGKILL during training, with everything in a checkpoint: moving average, best weights, optimiser."""
    given = {"steps": 8, "validate_every": 2, "checkpoint_every": 1, "ema_decay": 0.9, "batch_parts": 2}
    arguments = inputs(stage, made_pairs, tmp_path, **given)
    whole = started({**arguments, **outputs(tmp_path / "whole")})
    words = {**arguments, **outputs(tmp_path / "killed")}
    victim = started(words)
    while victim.poll() is None and not list(tmp_path.glob("killed/checkpoints/*/step-000003.pt")):
        time.sleep(0.005)
    victim.kill()
    assert victim.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed" / "model.json").exists()
    resumed = started(words)
    assert resumed.wait() == 0 and whole.wait() == 0, resumed.communicate()[1]
    assert "resuming after step " in resumed.communicate()[1]
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "killed")]
    assert weights[0] == weights[1]
    cards = [json.loads((tmp_path / name / "model.json").read_text()) for name in ("whole", "killed")]
    assert cards[0] == cards[1]


def test_a_time_limit_ends_several_processes_with_its_own_exit_code(
    stage: Stage, made_pairs: ModuleType, tmp_path: Path
):
    arguments = inputs(stage, made_pairs, tmp_path)
    done = started({**arguments, **outputs(tmp_path / "model"), "minutes": 0.0001}, launcher(2))
    error = done.communicate()[1]
    assert done.returncode == 75, error
    assert "after step 1 of 4" in error
    assert not (tmp_path / "model" / "model.json").exists()
    assert list((tmp_path / "model" / "checkpoints").rglob("step-000001.pt"))
