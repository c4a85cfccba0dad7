import os
import shutil
import time
from pathlib import Path

import pytest

from clairemap.artefacts.source_record import read_source_record
from clairemap.raster import identity
from clairemap.raster.identity import identities, remembered


@pytest.fixture
def scene(tmp_path: Path) -> dict[str, Path]:
    """Two files, read by a stage on 9 September 2001, as `record` says."""
    files = {"optical": tmp_path / "data" / "o.tif", "sar": tmp_path / "data" / "s.tif"}
    for role, path in files.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"values of {role}")
        os.utime(path, (1e9, 1e9))
    with remembered(files, record_of(tmp_path)):
        pass
    return files


def record_of(folder: Path) -> Path:
    return folder / "files_read.json"


def values(files: dict[str, Path], tmp_path: Path) -> tuple[str, ...]:
    return identities(files, record_of(tmp_path)).of("optical", "sar")


def test_reading_a_file_does_not_change_its_identity(scene: dict[str, Path], tmp_path: Path):
    before = identities(scene, tmp_path / "nothing read yet.json").of("optical", "sar")
    assert values(scene, tmp_path) == before
    assert [value.partition("=")[0] for value in before] == ["optical/0/o.tif", "sar/0/s.tif"]


@pytest.mark.parametrize("date", [5e8, 1.2e9, time.time() + 1e6], ids=["older", "newer", "future"])
def test_equal_content_of_another_date_is_the_same_file(scene: dict[str, Path], tmp_path: Path, date: float):
    before = values(scene, tmp_path)
    os.utime(scene["sar"], (date, date))
    assert values(scene, tmp_path) == before


@pytest.mark.parametrize("date", [5e8, 1e9, 1.2e9], ids=["older", "same date", "newer"])
@pytest.mark.parametrize("text", ["VALUES OF sar", "other size"])
def test_other_content_is_another_file_whatever_its_date(
    scene: dict[str, Path], tmp_path: Path, date: float, text: str
):
    before = values(scene, tmp_path)
    scene["sar"].write_text(text)
    os.utime(scene["sar"], (date, date))
    replaced = values(scene, tmp_path)
    assert replaced[0] == before[0] and replaced[1] != before[1]
    with remembered(scene, record_of(tmp_path)):
        pass
    assert values(scene, tmp_path) == replaced, "the stage that reads it does not change it"
    scene["sar"].write_text("values of sar")
    os.utime(scene["sar"], (1e9, 1e9))
    assert values(scene, tmp_path)[1] not in replaced


def test_what_is_found_out_about_a_file_does_not_remove_the_others(scene: dict[str, Path], tmp_path: Path):
    os.utime(scene["sar"], (5e8, 5e8))
    values(scene, tmp_path)
    assert set(read_source_record(record_of(tmp_path)).files) == {"optical/0/o.tif", "sar/0/s.tif"}


def test_a_moved_folder_has_the_same_files(scene: dict[str, Path], tmp_path: Path):
    before = values(scene, tmp_path)
    moved = {role: tmp_path / "elsewhere" / path.name for role, path in scene.items()}
    shutil.copytree(tmp_path / "data", tmp_path / "elsewhere", copy_function=shutil.copyfile)
    assert values(moved, tmp_path) == before
    (tmp_path / "elsewhere" / "s.tif").write_text("VALUES OF SAR")
    assert values(moved, tmp_path) != before


def test_a_files_content_is_compared_only_once(scene: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    read: list[str] = []
    digest = identity.file_digest
    monkeypatch.setattr(identity, "file_digest", lambda path: (read.append(path.name), digest(path))[1])
    for _ in range(2):
        values(scene, tmp_path)
    assert read == []
    os.utime(scene["optical"], (5e8, 5e8))
    scene["sar"].write_text("VALUES OF sar")
    for _ in range(2):
        values(scene, tmp_path)
    assert read == ["o.tif", "s.tif"]
    with remembered(scene, record_of(tmp_path)):
        pass
    assert read == ["o.tif", "s.tif", "s.tif"], "an unchanged file is not read again"


def test_known_files_are_not_opened(scene: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    before = values(scene, tmp_path)
    monkeypatch.setattr(identity, "files_behind", lambda path: pytest.fail(f"{path} is opened"))
    assert values(scene, tmp_path) == before


def test_members_of_a_virtual_raster_are_looked_at_each_time(tmp_path: Path):
    member, record = tmp_path / "m.tif", tmp_path / "record.json"
    member.write_text("values")
    virtual = tmp_path / "v.vrt"
    source = '<SourceFilename relativeToVRT="1">m.tif</SourceFilename>'
    virtual.write_text(f"<VRTDataset><VRTRasterBand>{source}</VRTRasterBand></VRTDataset>")
    with remembered({"sar": virtual}, record):
        pass
    before = identities({"sar": virtual}, record).of("sar")
    assert len(before) == 2
    member.write_text("VALUES")
    assert identities({"sar": virtual}, record).of("sar") != before


def test_a_file_that_changes_while_it_is_read_is_not_recorded(scene: dict[str, Path], tmp_path: Path):
    with remembered(scene, record_of(tmp_path)):
        scene["sar"].write_text("a later version")
    assert list(read_source_record(record_of(tmp_path)).files) == ["optical/0/o.tif"]


def test_a_failed_stage_records_nothing(scene: dict[str, Path], tmp_path: Path):
    kept = record_of(tmp_path).read_bytes()
    scene["sar"].write_text("a later version")
    with pytest.raises(ValueError, match="failed"), remembered(scene, record_of(tmp_path)):
        raise ValueError("failed")
    assert record_of(tmp_path).read_bytes() == kept


@pytest.mark.parametrize("text", ["", "{", '{"files": {"optical/0/o.tif": 1}}'])
def test_a_damaged_record_is_like_none(scene: dict[str, Path], tmp_path: Path, text: str):
    before = values(scene, tmp_path)
    record_of(tmp_path).write_text(text)
    assert values(scene, tmp_path) == before
    os.utime(scene["sar"], (2e9, 2e9))
    assert values(scene, tmp_path) != before, "unknown content counts as changed"


def test_a_read_only_folder_is_no_error(scene: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    before = values(scene, tmp_path)
    os.utime(scene["sar"], (5e8, 5e8))
    monkeypatch.setattr(identity, "write_source_record", lambda *_: (_ for _ in ()).throw(PermissionError()))
    assert values(scene, tmp_path) == before


def test_a_missing_file_and_a_new_sidecar_count(scene: dict[str, Path], tmp_path: Path):
    before = values(scene, tmp_path)
    (tmp_path / "data" / "s.tif.msk").write_text("mask")
    assert values(scene, tmp_path)[:2] == before and len(values(scene, tmp_path)) == 3
    scene["optical"].unlink()
    assert values(scene, tmp_path)[0] == "optical/0/o.tif=missing"


def test_a_link_to_another_file_counts(tmp_path: Path, scene: dict[str, Path]):
    current = tmp_path / "current"
    current.symlink_to("data")
    linked = {role: current / path.name for role, path in scene.items()}
    before = values(linked, tmp_path)
    assert before == values(scene, tmp_path)
    (tmp_path / "next").mkdir()
    for role, path in scene.items():
        (tmp_path / "next" / path.name).write_text(f"VALUES OF {role}")
        os.utime(tmp_path / "next" / path.name, (1e9, 1e9))
    current.unlink()
    current.symlink_to("next")
    assert values(linked, tmp_path) != before


def test_files_dated_in_the_future_are_named(scene: dict[str, Path], tmp_path: Path):
    assert identities(scene, record_of(tmp_path)).future == ()
    tomorrow = time.time() + 86_400
    os.utime(scene["sar"], (tomorrow, tomorrow))
    assert identities(scene, record_of(tmp_path)).future == (scene["sar"],)


def test_only_the_files_of_some_roles_are_listed(scene: dict[str, Path], tmp_path: Path):
    assert identities(scene, record_of(tmp_path)).of("optical") == values(scene, tmp_path)[:1]
    scene["optical"].unlink()
    assert len(identities(scene, record_of(tmp_path)).of("optical")) == 1


def test_many_files_are_listed_in_short(scene: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(identity, "LISTED", 1)
    first, others = values(scene, tmp_path)
    assert first.startswith("optical/") and others.startswith("1 more files: ")
    scene["sar"].write_text("another size")
    assert values(scene, tmp_path)[1] != others


def test_large_files_are_announced_before_they_are_compared(
    scene: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(identity, "ANNOUNCED_BYTES", 1)
    os.utime(scene["sar"], (5e8, 5e8))
    said: list[str] = []
    identities(scene, record_of(tmp_path), said.append)
    assert [str(scene["sar"]) in text for text in said] == [True]
