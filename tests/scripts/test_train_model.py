import os
import subprocess
import sys
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


def inputs(stage: Stage, made_pairs: ModuleType, folder: Path, **training: float) -> dict[str, Any]:
    """Return the arguments of train_model for two made scenes, up to its outputs."""
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


def trained(folder: Path) -> tuple[Bundle, pd.DataFrame]:
    return load_bundle(folder / "model.safetensors", folder / "model.json"), pd.read_csv(folder / "history.csv")


def test_a_model_comes_out_that_maps(stage: Stage, made_pairs: ModuleType, tmp_path: Path):
    stage("train_model")(**inputs(stage, made_pairs, tmp_path, steps=2), **outputs(tmp_path / "model"))
    bundle, history = trained(tmp_path / "model")
    assert list(history["step"]) == [1, 2]
    assert bundle.card.stamp["clairemap_stage"] == "train_model"
    zeros = torch.zeros(1, 1, 128, 128)
    assert bundle.network(zeros.expand(-1, 2, -1, -1), zeros, zeros + 1, zeros + 1).logits.shape == (1, 3, 128, 128)


def test_two_processes_train_what_one_does(stage: Stage, made_pairs: ModuleType, tmp_path: Path):
    arguments = inputs(stage, made_pairs, tmp_path, steps=3, batch_size=4, validate_every=3, learning_rate=1e-3)
    stage("train_model")(**arguments, **outputs(tmp_path / "one"), device="cpu")
    words = command_line({**arguments, **outputs(tmp_path / "two"), "device": "cpu"})
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launcher, *words], env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (one, history), (two, other_history) = trained(tmp_path / "one"), trained(tmp_path / "two")
    for name, value in one.network.state_dict().items():
        assert torch.allclose(value, two.network.state_dict()[name], atol=1e-5, rtol=0), name
    for column in ("loss", "focal", "tversky", "grad_norm"):
        assert list(other_history[column]) == pytest.approx(list(history[column]), rel=1e-5)
    assert list(other_history["loss"]) == pytest.approx(list(history["loss"]), abs=1e-6)
    assert other_history["val_miou"].iloc[-1] == pytest.approx(history["val_miou"].iloc[-1], abs=1e-3)
    assert done.stderr.count("validation mIoU") == 1  # the first process speaks for both


def test_a_time_budget_ends_with_its_own_exit_code(stage: Stage, made_pairs: ModuleType, tmp_path: Path):
    arguments = inputs(stage, made_pairs, tmp_path)
    words = command_line({**arguments, **outputs(tmp_path / "model"), "minutes": 0.0001})
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 75, done.stderr
    assert "after step 1 of 4" in done.stderr
    assert not (tmp_path / "model" / "model.json").exists()
    assert list((tmp_path / "model" / "checkpoints").rglob("step-000001.pt"))
