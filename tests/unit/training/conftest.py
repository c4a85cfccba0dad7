"""A training job on two small synthetic scenes, and a single process to run it."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
import torch

from clairemap.stages import TrainModel, stage_json
from clairemap.tiles.split_assignment import assign_splits
from clairemap.tiles.training_statistics import fit_statistics
from clairemap.training.distributed import Processes
from clairemap.training.job import TrainingJob

ALONE = Processes(0, 1, torch.device("cpu"))


@pytest.fixture(scope="session")
def alone() -> Processes:
    """A single process on the CPU."""
    return ALONE


@pytest.fixture(scope="session")
def made_job(made_pairs: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., TrainingJob]:
    """Return a function that makes jobs on the same scenes: ``made_job(tmp_path, steps=4)``."""
    folder = tmp_path_factory.mktemp("training")
    scenes = [made_pairs.make_scene(folder, "a", seed=1), made_pairs.make_scene(folder, "b", seed=2)]
    index = pd.concat([pd.read_parquet(scene.tiles) for scene in scenes])
    settings = made_pairs.settings()
    splits = {
        kept: assign_splits(index, {"a": "train", "b": kept}, settings.splits, 0) for kept in ("val", "test", "train")
    }
    stores = {scene.scene: scene.pair for scene in scenes}
    training = index[index["scene"] == "a"]
    statistics = fit_statistics(stores, training, made_pairs.CLASSES)

    def job(checkpoints: Path, *, second: str = "val", minutes: float | None = None, **changed: object) -> TrainingJob:
        chosen = TrainModel.model_validate_json(stage_json(made_pairs.settings(**changed), TrainModel))
        return TrainingJob(stores, statistics, splits[second], chosen, checkpoints, "code", minutes)

    return job
