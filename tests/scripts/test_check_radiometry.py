import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from clairemap.artefacts.radiometry import Radiometry, write_radiometry
from clairemap.artefacts.radiometry_check import read_radiometry_check
from clairemap.errors import RadiometryError, StoreError
from clairemap.settings import load_settings
from clairemap.stages import CheckRadiometry, stage_json
from clairemap.tiles.sensor_radiometry import sensor_radiometry

Stage = Callable[[str], Callable[..., Any]]
BANDS = ("red", "nir")


def write(folder: Path, name: str, seed: int, add: float = 0) -> Path:
    rng = np.random.default_rng(seed)
    values = np.array([[300], [2500]]) * rng.gamma(2, 0.5, (2, 5000)) + add
    path = folder / f"{name}.json"
    write_radiometry(path, Radiometry(scene=name, sar_scale="db", optical=sensor_radiometry(BANDS, values), sar=None))
    return path


@pytest.fixture
def gate(stage: Stage, tmp_path: Path):
    """Return a function that checks a scene with an offset against two training scenes."""
    scenes = [write(tmp_path, name, seed) for seed, name in enumerate("ba")]
    stage("collect_radiometry")(radiometry=scenes, training=tmp_path / "training.json")

    def run(add: float, on_mismatch: str = "error") -> SimpleNamespace:
        check = tmp_path / "check.json"
        settings = load_settings({"sensors": {"on_mismatch": on_mismatch}})
        stage("check_radiometry")(
            radiometry=write(tmp_path, "new", 7, add),
            training=tmp_path / "training.json",
            check=check,
            settings=stage_json(settings, CheckRadiometry),
        )
        return SimpleNamespace(read=read_radiometry_check(check), path=check)

    return run


@pytest.mark.usefixtures("gate")
def test_training_scenes_are_collected_by_name(tmp_path: Path):
    assert [scene["scene"] for scene in json.loads((tmp_path / "training.json").read_text())["scenes"]] == ["a", "b"]


def test_a_scene_like_the_others_passes_without_warning(gate: Callable[..., Any], capsys: pytest.CaptureFixture[str]):
    found = gate(0).read
    assert found.scene == "new" and found.verdict == "match"
    assert found.sensors["sar"].verdict == "not compared"
    assert capsys.readouterr().out == ""


def test_a_scene_with_an_offset_is_stopped(gate: Callable[..., Any], tmp_path: Path):
    with pytest.raises(RadiometryError, match=r"new: .*optical: .* 1,000 higher .*on_mismatch: warn"):
        gate(1000)
    assert not (tmp_path / "check.json").exists()


def test_with_on_mismatch_warn_it_passes_with_a_warning(gate: Callable[..., Any], capsys: pytest.CaptureFixture[str]):
    found = gate(1000, "warn").read
    assert found.verdict == "mismatch" and "1,000 higher" in found.remarks("mismatch")[0]
    assert capsys.readouterr().out.startswith("WARNING: new: optical: the values are about 1,000 higher")


def test_a_damaged_check_is_an_error(tmp_path: Path):
    (tmp_path / "check.json").write_text("{}")
    with pytest.raises(StoreError, match=r"check\.json: not a valid radiometry check"):
        read_radiometry_check(tmp_path / "check.json")
