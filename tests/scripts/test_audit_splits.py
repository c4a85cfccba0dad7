import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from clairemap.errors import StoreError
from clairemap.settings import Settings, load_settings
from clairemap.stages import FitStatistics, stage_json

Stage = Callable[[str], Callable[..., Any]]


def learn(stage: Stage, scenes: dict[str, Any], folder: Path, settings: Settings):
    stage("fit_statistics")(
        pair=[scene.pair for scene in scenes.values()],
        tiles=[scene.tiles for scene in scenes.values()],
        split=[f"{name}={split}" for name, split in zip(scenes, ("train", "val"), strict=False)],
        statistics=folder / "statistics.json",
        splits=folder / "training_splits.parquet",
        settings=stage_json(settings, FitStatistics),
    )


def audit(stage: Stage, scenes: dict[str, Any], test: list[str], folder: Path, settings: Settings):
    stage("audit_splits")(
        pair=[scene.pair for scene in scenes.values()],
        tiles=[scene.tiles for scene in reversed(scenes.values())],  # each file says which scene it is of
        training_splits=folder / "training_splits.parquet",
        test=test,
        audit=folder / "audit.json",
        splits=folder / "splits.parquet",
        settings=stage_json(settings, FitStatistics),
    )
    return json.loads((folder / "audit.json").read_text()), pd.read_parquet(folder / "splits.parquet")


def test_a_scene_listed_twice_is_found(
    stage: Stage, made_pairs: ModuleType, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    made = {name: made_pairs.make_scene(tmp_path, name, seed=seed) for name, seed in (("a", 1), ("b", 2), ("c", 1))}
    settings = made_pairs.settings()
    learn(stage, {name: made[name] for name in "ab"}, tmp_path, settings)
    before = (tmp_path / "statistics.json").read_bytes(), (tmp_path / "training_splits.parquet").read_bytes()
    found, table = audit(stage, made, ["c"], tmp_path, settings)
    assert found["method"] == "scene"
    assert found["test_scenes"] == ["c"]
    assert found["tiles"] == {"train": 4, "val": 4, "test": 4, "buffer": 0}
    assert found["held_out"]["test"] == {
        "distance_px": 0,
        "overlapping_share": 1.0,  # the scenes cover the same ground
        "copied_tiles": 4,
        "copies": [f"c {row}/{col} = a {row}/{col} (optical)" for row in (0, 1) for col in (0, 1)],
        "start_share": None,  # training did not start from a model
    }
    assert found["held_out"]["val"]["copied_tiles"] == 0  # the same ground, but seen another time
    assert "4 tile(s) of split test are copies of training tiles: c 0/0 = a 0/0 (optical)" in caplog.text
    assert table.groupby("scene")["split"].unique().map(list).to_dict() == {"a": ["train"], "b": ["val"], "c": ["test"]}
    assert before == ((tmp_path / "statistics.json").read_bytes(), (tmp_path / "training_splits.parquet").read_bytes())


def test_random_tiles_are_audited_as_such(stage: Stage, made_pairs: ModuleType, tmp_path: Path):
    splits = {"method": "random", "accept_leakage": True, "val_share": 0.25}
    settings = load_settings({**made_pairs.CONFIG, "splits": splits})
    made = {"a": made_pairs.make_scene(tmp_path, "a")}
    learn(stage, made, tmp_path, settings)
    found, table = audit(stage, made, [], tmp_path, settings)
    assert found["method"] == "random"
    assert found["held_out"]["val"]["distance_px"] == 0
    assert table["split"].value_counts().to_dict() == {"train": 3, "val": 1}


def test_a_test_scene_without_tiles_is_an_error(stage: Stage, made_pairs: ModuleType, tmp_path: Path):
    made = {"a": made_pairs.make_scene(tmp_path, "a", shape=(256, 256))}
    learn(stage, made, tmp_path, made_pairs.settings())
    with pytest.raises(StoreError, match="'c'"):
        audit(stage, made, ["c"], tmp_path, made_pairs.settings())
    assert not (tmp_path / "audit.json").exists()
