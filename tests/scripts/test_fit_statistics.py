import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from clairemap.errors import SettingsError, StoreError
from clairemap.settings import Settings
from clairemap.stages import FitStatistics, stage_json

Stage = Callable[[str], Callable[..., Any]]


def fit(stage: Stage, scenes: list[Any], splits: list[str], folder: Path, settings: Settings):
    stage("fit_statistics")(
        pair=[scene.pair for scene in scenes],
        tiles=[scene.tiles for scene in reversed(scenes)],  # each file says which scene it is of
        split=splits,
        statistics=folder / "statistics.json",
        splits=folder / "splits.parquet",
        settings=stage_json(settings, FitStatistics),
    )
    return json.loads((folder / "statistics.json").read_text()), pd.read_parquet(folder / "splits.parquet")


def test_statistics_are_of_the_train_scene(stage: Stage, made_pairs: ModuleType, tmp_path: Path):
    scenes = [made_pairs.make_scene(tmp_path, name, seed=seed) for seed, name in enumerate("abc")]
    found, table = fit(stage, scenes, ["a=train", "b=val", "c=predict"], tmp_path / "model", made_pairs.settings())
    assert found["scenes"] == ["a"]
    assert found["optical"]["bands"] == ["red", "nir"]
    assert found["sar_scale"] == "db"
    index = pd.read_parquet(scenes[0].tiles)
    assert found["class_px"] == [sum(counts) for counts in zip(*index["class_px"], strict=True)]
    assert set(map(tuple, table[["scene", "split"]].to_numpy())) == {("a", "train"), ("b", "val")}


def test_blocks_are_held_out_of_the_train_scene(stage: Stage, made_pairs: ModuleType, tmp_path: Path):
    scene = made_pairs.make_scene(tmp_path, "a")
    splits = {"method": "block", "block_tiles": 1, "val_share": 0.25, "buffer_px": 0}
    settings = Settings.model_validate({**made_pairs.CONFIG, "splits": splits})
    found, table = fit(stage, [scene], ["a=train"], tmp_path / "model", settings)
    assert table["split"].value_counts().to_dict() == {"train": 3, "val": 1}
    training = table[table["split"] == "train"]
    assert found["class_px"] == [sum(counts) for counts in zip(*training["class_px"], strict=True)]


def test_an_unknown_split_is_an_error(stage: Stage, made_pairs: ModuleType, tmp_path: Path):
    scene = made_pairs.make_scene(tmp_path, "a", shape=(256, 256))
    with pytest.raises(SettingsError, match="'a:train'"):
        fit(stage, [scene], ["a:train"], tmp_path / "model", made_pairs.settings())


def test_an_incomplete_store_is_an_error(stage: Stage, made_pairs: ModuleType, tmp_path: Path):
    scene = made_pairs.make_scene(tmp_path, "a", shape=(256, 256))
    scene.pair.with_suffix(".json").unlink()
    with pytest.raises(StoreError, match=r"pair\.json: not a valid manifest"):
        fit(stage, [scene], ["a=train"], tmp_path / "model", made_pairs.settings())
