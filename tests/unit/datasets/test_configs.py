"""The files of config/datasets match the readers and keep chips independent."""

from pathlib import Path

import pytest
import yaml

from clairemap.datasets.catalogue import known_datasets
from clairemap.settings import ALIGN_PX, Settings, load_settings

CONFIGS = Path(__file__).parents[3] / "config" / "datasets"
KNOWN = known_datasets(CONFIGS)
CHIP_SETS = [name for name, known in KNOWN.items() if known.chip_px is not None]


def settings_of(name: str) -> Settings:
    return load_settings(yaml.safe_load((CONFIGS / f"{name}.yaml").read_text()))


def test_every_reader_has_a_config_and_a_section_in_the_docs() -> None:
    assert {path.stem for path in CONFIGS.glob("*.yaml")} == set(KNOWN)
    docs = (CONFIGS.parents[1] / "docs" / "datasets.md").read_text()
    for name in KNOWN:
        assert f"make dataset NAME={name} DATA=" in docs and f"config/datasets/{name}.yaml" in docs


@pytest.mark.parametrize("name", KNOWN)
def test_each_data_set_has_separate_folders(name: str) -> None:
    settings = settings_of(name)
    assert settings.scenes == f"data/{name}/scenes.csv" and settings.work_dir == f"work/{name}"
    assert settings.mosaic.grid == "scene"


@pytest.mark.parametrize("name", CHIP_SETS)
def test_no_setting_lets_chips_affect_each_other(name: str) -> None:
    settings, chip_px = settings_of(name), KNOWN[name].chip_px
    assert chip_px is not None and chip_px % ALIGN_PX == 0
    assert settings.tiling.tile_px == settings.inference.window_px == chip_px
    assert settings.inference.halo_px == 0 and settings.training.crop_px <= chip_px
    assert settings.sensors.sar.speckle_filter == "none"
    assert settings.registration.model == "none"
    assert settings.splits.method == "scene"
