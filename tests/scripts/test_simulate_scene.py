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


def test_an_acquisition_changes_the_images_but_not_the_landscape(
    stage: Callable[[str], Callable[..., Any]], tmp_path: Path
):
    for acquisition in (0, 3):
        folder = tmp_path / str(acquisition)
        stage("simulate_scene")(scene="east_north", directory=folder, size_px=64, acquisition=acquisition)
    first, second = (tmp_path / name / "east_north" for name in ("0", "3"))
    assert (rasterio.open(first / "label.tif").read(1) == rasterio.open(second / "label.tif").read(1)).all()
    assert rasterio.open(first / "optical.tif").dtypes[0] == "uint16"
    assert rasterio.open(second / "optical.tif").dtypes[0] == "uint8"
    assert rasterio.open(second / "sar.tif").tags()["TRUE_DX_PX"] == "0.0"
