import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from clairemap.errors import StoreError
from clairemap.settings import load_settings
from clairemap.stages import PictureRegistration, RegisterPair, stage_json

SETTINGS = load_settings(
    {
        "sensors": {"optical": {"bands": ["red", "nir"]}, "sar": {"bands": ["VV"]}},
        "registration": {"max_shift_px": 12, "search_rotation": False},
    }
)
Draw = Callable[[Path], Image.Image]


@pytest.fixture
def optical(made_rasters: ModuleType, tmp_path: Path) -> Path:
    picture = made_rasters.Fields(made_rasters.UTM).optical()
    return made_rasters.write_raster(tmp_path / "optical.tif", picture, made_rasters.UTM)


@pytest.fixture
def draw(stage: Callable[[str], Callable[..., Any]], optical: Path, tmp_path: Path) -> Draw:
    """Return a function that registers a SAR file and returns its picture."""

    def drawn(sar: Path) -> Image.Image:
        record, picture = tmp_path / "registration.json", tmp_path / "out" / "registration.png"
        files = {"scene": "made", "optical": optical, "sar": sar, "registration": record}
        stage("register_pair")(**files, settings=stage_json(SETTINGS, RegisterPair))
        stage("picture_registration")(**files, picture=picture, settings=stage_json(SETTINGS, PictureRegistration))
        assert [path.name for path in picture.parent.iterdir()] == ["registration.png"]
        assert picture.stat().st_size < 400_000
        image = Image.open(picture)
        image.load()
        assert image.info["scene"] == "made"
        assert image.info["clairemap_stage"] == "picture_registration"
        return image

    return drawn


def sar_file(made_rasters: ModuleType, folder: Path, power: NDArray[np.float32]) -> Path:
    return made_rasters.write_raster(folder / "sar.tif", power, made_rasters.UTM)


def columns(image: Image.Image) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the panels of the first row, without their titles."""
    rgb = np.asarray(image.convert("RGB"))[40:290]
    return rgb[:, :256], rgb[:, 260:]


def test_an_offset_scene_is_shown_before_and_after(draw: Draw, made_rasters: ModuleType, tmp_path: Path):
    power = made_rasters.Fields(made_rasters.UTM).sar(made_rasters.UTM, (3.4, -7.3))
    before, after = columns(draw(sar_file(made_rasters, tmp_path, power)))
    assert json.loads((tmp_path / "registration.json").read_text())["applied"] is True
    assert np.array_equal(before[:60, :60], after[:60, :60])  # optical
    assert not np.array_equal(before[:60, 70:120], after[:60, 70:120])  # SAR


@pytest.mark.parametrize("kind", ["aligned", "rejected", "no ties"])
def test_a_scene_without_shift_is_shown_once(draw: Draw, made_rasters: ModuleType, tmp_path: Path, kind: str):
    grid = made_rasters.UTM
    power = {
        "aligned": made_rasters.Fields(grid).sar(grid),
        "rejected": made_rasters.Fields(grid, seed=77).sar(grid),
        "no ties": np.full((1, *grid.shape), np.nan, np.float32),
    }[kind]
    image = draw(sar_file(made_rasters, tmp_path, power))
    content = json.loads((tmp_path / "registration.json").read_text())
    assert content["applied"] is False
    assert content["verdict"] == ("good" if kind == "aligned" else "rejected")
    first, second = columns(image)
    assert not np.array_equal(first, second)  # two places, not one place twice


def test_a_damaged_record_is_an_error(stage: Callable[[str], Callable[..., Any]], optical: Path, tmp_path: Path):
    (tmp_path / "registration.json").write_text("{}")
    with pytest.raises(StoreError, match=r"registration\.json"):
        stage("picture_registration")(
            scene="made", optical=optical, sar=optical, registration=tmp_path / "registration.json",
            picture=tmp_path / "out" / "a.png", settings=stage_json(SETTINGS, PictureRegistration),
        )  # fmt: skip
    assert not (tmp_path / "out").exists()
