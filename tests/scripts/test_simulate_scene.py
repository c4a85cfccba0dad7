from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rasterio

from clairemap.errors import SettingsError


def test_writes_the_four_files_of_a_scene_with_their_stamp(stage: Callable[[str], Callable[..., Any]], tmp_path: Path):
    stage("simulate_scene")(scene="east_north", directory=tmp_path, size_px=64)
    assert {path.name for path in (tmp_path / "east_north").iterdir()} == {
        "optical.tif",
        "sar.tif",
        "label.tif",
        "cloud.tif",
    }
    with rasterio.open(tmp_path / "east_north" / "optical.tif") as optical:
        assert optical.shape == (64, 64)
        assert optical.tags()["clairemap_stage"] == "simulate_scene"


def test_another_seed_gives_another_landscape(stage: Callable[[str], Callable[..., Any]], tmp_path: Path):
    for seed in (0, 1):
        stage("simulate_scene")(scene="east_north", directory=tmp_path / str(seed), seed=seed, size_px=64)
    first, second = (rasterio.open(tmp_path / str(seed) / "east_north" / "label.tif").read(1) for seed in (0, 1))
    assert (first != second).any()


def test_an_unknown_scene_is_an_error(stage: Callable[[str], Callable[..., Any]], tmp_path: Path):
    with pytest.raises(SettingsError, match="unknown demo scene"):
        stage("simulate_scene")(scene="nowhere", directory=tmp_path)
