"""The readers on generated folders with the layouts of the data sets."""

import logging
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from clairemap.datasets.dfc2020 import dfc2020
from clairemap.datasets.openearthmap_sar import openearthmap_sar
from clairemap.datasets.pie_rgb_sar import pie_rgb_sar
from clairemap.datasets.samples import Sample
from clairemap.datasets.sen1floods11 import sen1floods11
from clairemap.datasets.whu_opt_sar import read_split, whu_opt_sar
from clairemap.errors import MissingFileError, SampleSheetError

OFFICIAL = Path(__file__).parents[3] / "config" / "datasets" / "whu_opt_sar_split.txt"
TRIPLE = {"optical", "sar", "label"}


def splits(samples: list[Sample]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for sample in samples:
        found.setdefault(sample.split, set()).add(sample.name)
    return found


def test_whu_opt_sar_uses_the_official_split(made_datasets: ModuleType, tmp_path: Path) -> None:
    official = read_split(OFFICIAL)
    assert Counter(official.values()) == {"train": 80, "test": 20}
    made_datasets.whu_opt_sar(tmp_path, list(official))
    samples = whu_opt_sar(tmp_path, OFFICIAL)
    assert not any(sample.missing for sample in samples)
    assert all(set(sample.files) == TRIPLE for sample in samples)
    found = splits(samples)
    assert found["test"] == {name for name, split in official.items() if split == "test"}
    assert "NH49E001014" in found["test"] and "NH49E004021" in found["train"]
    assert len(found["val"]) == 8 and len(found["train"]) == 72
    assert samples[0].files["label"] == tmp_path / "lbl" / "NH49E001013.tif"


def test_whu_scenes_outside_the_split_are_logged(
    made_datasets: ModuleType, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made_datasets.whu_opt_sar(tmp_path, ["NH49E001013", "NH49E999999"])
    with caplog.at_level(logging.WARNING):
        samples = whu_opt_sar(tmp_path, OFFICIAL)
    assert "NH49E999999" in caplog.text and "NH49E001013" not in caplog.text
    assert len(samples) == 100 and sum(bool(sample.missing) for sample in samples) == 99


@pytest.mark.parametrize("text", ["a.tif\ntrain:\n", "train:\na.tif\ntest:\na.tif\n"])
def test_an_invalid_split_list_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "split.txt").write_text(text)
    with pytest.raises(SampleSheetError, match=r"split\.txt: 'a\.tif'"):
        read_split(tmp_path / "split.txt")


def test_openearthmap_sar_test_has_sar_only(made_datasets: ModuleType, tmp_path: Path) -> None:
    made_datasets.openearthmap_sar(tmp_path, train=6, test=2)
    samples = openearthmap_sar(tmp_path)
    assert not any(sample.missing for sample in samples)
    found = splits(samples)
    assert found["predict"] == {"TestArea_001", "TestArea_002"}
    assert all(found[split] for split in ("train", "val", "test"))
    for sample in samples:
        unlabelled = sample.split == "predict"
        assert set(sample.files) == ({"sar"} if unlabelled else TRIPLE)
        assert sample.region == ("openearthmap_sar_test" if unlabelled else "openearthmap_sar")


def test_openearthmap_sar_tests_on_chips_with_labels(made_datasets: ModuleType, tmp_path: Path) -> None:
    made_datasets.openearthmap_sar(tmp_path, train=1, test=1)
    (tmp_path / "test").rename(tmp_path / "val")
    chip = tmp_path / "val" / "sar_images" / "TestArea_001.tif"
    made_datasets.write(tmp_path / "val" / "labels" / chip.name, made_datasets.patches(0, (1, 2), 1024, "uint8"))
    (labelled,) = (sample for sample in openearthmap_sar(tmp_path) if sample.region == "openearthmap_sar_val")
    assert labelled.split == "test" and set(labelled.files) == {"sar", "label"} and not labelled.missing


def test_openearthmap_sar_reports_files_missing_in_any_folder(made_datasets: ModuleType, tmp_path: Path) -> None:
    made_datasets.openearthmap_sar(tmp_path, train=3, test=1)
    gone = [
        tmp_path / "train" / "rgb_images" / "TrainArea_001.tif",
        tmp_path / "train" / "labels" / "TrainArea_003.tif",
    ]
    for path in gone:
        path.unlink()
    assert [path for sample in openearthmap_sar(tmp_path) for path in sample.missing] == gone


def test_pie_rgb_sar_tests_on_the_official_val_list(
    made_datasets: ModuleType, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made_datasets.pie_rgb_sar(tmp_path)
    (tmp_path / "val.txt").write_text("00020\n")
    with caplog.at_level(logging.WARNING):
        samples = pie_rgb_sar(tmp_path)
    assert "00021" in caplog.text
    found = splits(samples)
    assert found["test"] == {"00020"}
    assert found["train"] | found["val"] == {f"{number:05d}" for number in range(20)} and found["val"]
    assert not any(sample.missing for sample in samples)


def test_sen1floods11_holds_bolivia_out(made_datasets: ModuleType, tmp_path: Path) -> None:
    made_datasets.sen1floods11(tmp_path)
    samples = sen1floods11(tmp_path)
    assert not any(sample.missing for sample in samples)
    assert splits(samples) == {
        "train": {"Ghana_103272", "Ghana_1078550"},
        "val": {"India_1017769"},
        "test": {"Spain_6537196", "Bolivia_103757"},
    }
    assert {sample.name for sample in samples if sample.region == "sen1floods11_bolivia"} == {"Bolivia_103757"}
    assert samples[0].files["optical"].name == "Ghana_103272_S2Hand.tif"


def test_sen1floods11_lists_of_another_form_are_errors(made_datasets: ModuleType, tmp_path: Path) -> None:
    made_datasets.sen1floods11(tmp_path)
    path = tmp_path / "splits" / "flood_handlabeled" / "flood_valid_data.csv"
    path.write_text("India_1017769_S1Hand.tif,Ghana_1_LabelHand.tif\n")
    with pytest.raises(SampleSheetError, match=r"flood_valid_data\.csv.*Ghana_1_LabelHand"):
        sen1floods11(tmp_path)
    path.unlink()
    with pytest.raises(MissingFileError, match=r"flood_valid_data\.csv"):
        sen1floods11(tmp_path)


def test_dfc2020_tests_on_the_contests_test_part(made_datasets: ModuleType, tmp_path: Path) -> None:
    made_datasets.dfc2020(tmp_path)
    samples = dfc2020(tmp_path)
    assert not any(sample.missing for sample in samples) and all(set(sample.files) == TRIPLE for sample in samples)
    found = splits(samples)
    assert found["test"] == {"ROIs0000_test_0_p8", "ROIs0000_test_0_p9"}
    assert len(found["train"] | found["val"]) == 4 and found["train"] and found["val"]
    with pytest.raises(MissingFileError, match="ROIs0000_PART"):
        dfc2020(tmp_path / "ROIs0000_test")
