from pathlib import Path

import pytest

from clairemap.artefacts.radiometry import (
    Radiometry,
    SensorRadiometry,
    TrainingRadiometry,
    read_radiometry,
    read_training_radiometry,
    write_radiometry,
)
from clairemap.errors import StoreError

OPTICAL = SensorRadiometry(
    bands=("red",), pixels=9, mean=(1.5,), covariance=((4.0,),), quantiles=((1.0, 2.0),), floor=(0.0,), ceiling=(3.0,)
)


def test_round_trip_and_errors_on_damaged_files(tmp_path: Path):
    scene = Radiometry(scene="a", sar_scale="db", optical=OPTICAL, sar=None)
    write_radiometry(tmp_path / "a.json", scene)
    assert read_radiometry(tmp_path / "a.json") == scene
    write_radiometry(tmp_path / "all.json", TrainingRadiometry(scenes=(scene,)))
    assert read_training_radiometry(tmp_path / "all.json").scenes == (scene,)
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(StoreError, match=r"a\.json: not a valid radiometry .*run tile_scene again"):
        read_radiometry(tmp_path / "a.json")
    with pytest.raises(StoreError, match=r"gone\.json"):
        read_training_radiometry(tmp_path / "gone.json")
