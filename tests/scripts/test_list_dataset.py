import logging
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
import rasterio

from clairemap.datasets.whu_opt_sar import read_split
from clairemap.errors import MissingFileError, SettingsError
from clairemap.scenes import SampleSheet, read_sample_sheet

CONFIGS = Path(__file__).parents[2] / "config" / "datasets"
Listed = Callable[..., SampleSheet]


@pytest.fixture
def listed(stage: Callable[[str], Callable[..., Any]], tmp_path: Path):
    """Return ``listed(dataset, **options)``: the sample sheet that the script writes for tmp_path/data."""

    def run(dataset: str, **options: str) -> SampleSheet:
        sheet = tmp_path / "listed" / "scenes.csv"
        stage("list_dataset")(dataset=dataset, folder=tmp_path / "data", sheet=sheet, **options)
        return read_sample_sheet(sheet, Path("elsewhere"))

    return run


def made(made_datasets: ModuleType, dataset: str, folder: Path) -> None:
    if dataset == "whu_opt_sar":
        made_datasets.whu_opt_sar(folder, list(read_split(CONFIGS / "whu_opt_sar_split.txt")))
    else:
        getattr(made_datasets, dataset)(folder)


@pytest.mark.parametrize(
    ("dataset", "scenes", "labelled_px"),
    [
        ("whu_opt_sar", 100, 100 * 26 * 30),
        ("openearthmap_sar", 3, 4 * 1024**2),
        ("pie_rgb_sar", 3, 22 * 256**2),
        ("sen1floods11", 4, 5 * 512**2),
        ("dfc2020", 3, 6 * 256**2),
    ],
)
def test_the_sheet_of_each_data_set_is_complete(
    listed: Listed, made_datasets: ModuleType, tmp_path: Path, dataset: str, scenes: int, labelled_px: int
) -> None:
    made(made_datasets, dataset, tmp_path / "data")
    sheet = listed(dataset)
    assert len(list(sheet)) == scenes and not sheet.missing_files
    pixels = 0
    for scene in sheet:
        shapes = set()
        for path in scene.sources.values():
            with rasterio.open(path) as raster:
                shapes.add(raster.shape)
        assert len(shapes) == 1
        height, width = shapes.pop()
        pixels += height * width if scene.label else 0
    assert pixels == labelled_px
    if dataset != "whu_opt_sar":
        chips = pd.read_csv(tmp_path / "listed" / "chips.csv")
        assert set(chips["scene"]) == {scene.scene for scene in sheet} and chips["chip"].is_unique


def test_listing_again_writes_nothing_unless_a_chip_changed(
    listed: Listed, made_datasets: ModuleType, tmp_path: Path
) -> None:
    made_datasets.pie_rgb_sar(tmp_path / "data")

    def times() -> dict[str, int]:
        listed("pie_rgb_sar")
        return {path.name: path.stat().st_mtime_ns for path in (tmp_path / "listed").rglob("*.*")}

    first = times()
    assert times() == first and len(first) == 3 * 3 + 2
    label = made_datasets.patches(99, (1, 2), 256, "uint8")
    made_datasets.write(tmp_path / "data" / "label" / "00000.tif", label)
    second = times()
    assert [name for name in first if first[name] != second[name]] == ["pie_rgb_sar_train_01.label.vrt"]


def test_a_chip_without_its_sar_is_an_error_or_left_out_with_a_warning(
    listed: Listed, made_datasets: ModuleType, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made_datasets.pie_rgb_sar(tmp_path / "data")
    (tmp_path / "data" / "sar" / "00003.tif").unlink()
    with pytest.raises(MissingFileError, match=r"sar/00003\.tif"):
        listed("pie_rgb_sar")
    assert not (tmp_path / "listed").exists()
    with caplog.at_level(logging.WARNING):
        listed("pie_rgb_sar", on_missing="leave_out")
    assert "sar/00003.tif" in caplog.text
    chips = pd.read_csv(tmp_path / "listed" / "chips.csv", dtype=str)["chip"]
    assert len(chips) == 21 and "00003" not in set(chips)


def test_an_unknown_data_set_is_an_error(listed: Listed) -> None:
    with pytest.raises(SettingsError, match=r"whu_optsar.*did you mean 'whu_opt_sar'"):
        listed("whu_optsar")
