import datetime
from pathlib import Path

import pytest

from clairemap.errors import SampleSheetError
from clairemap.scenes import read_sample_sheet

HEADER = "scene,region,split,optical,sar,label,cloud,optical_date,sar_date"


def sheet(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "scenes.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def faults(folder: Path, *rows: str, header: str = HEADER) -> str:
    with pytest.raises(SampleSheetError) as caught:
        read_sample_sheet(sheet(folder, *rows, header=header), Path("data"))
    return str(caught.value)


def test_reads_rows_in_order(tmp_path: Path):
    path = sheet(
        tmp_path,
        "lake_a,north,train,a/o.tif,a/s.tif,a/l.tif,a/c.tif,2026-05-01,2026-05-03",
        "lake_b,south, predict ,,b/s.tif,,,,",
    )
    first, second = read_sample_sheet(path, Path("data"))
    assert first.scene == "lake_a"
    assert first.optical == Path("data/a/o.tif")
    assert first.optical_date == datetime.date(2026, 5, 1)
    assert first.sources == {role: Path(f"data/a/{role[0]}.tif") for role in ("optical", "sar", "label", "cloud")}
    assert second.split == "predict"
    assert second.sources == {"sar": Path("data/b/s.tif")}
    assert second.sar_date is None


def test_absolute_paths_stay(tmp_path: Path):
    (scene,) = read_sample_sheet(sheet(tmp_path, "a,r,train,/scratch/o.tif,,l.tif,,,"), Path("data"))
    assert scene.optical == Path("/scratch/o.tif")


def test_looks_up_by_name_region_and_split(tmp_path: Path):
    found = read_sample_sheet(
        sheet(tmp_path, "a,north,train,o1,,l,,,", "b,south,test,o2,,l,,,", "c,north,predict,o3,,,,,"), Path()
    )
    assert found.regions == ("north", "south")
    assert [scene.scene for scene in found.in_region("north")] == ["a", "c"]
    assert [scene.scene for scene in found.of_split("train", "test")] == ["a", "b"]
    assert found["b"].region == "south"


def test_a_byte_order_mark_of_a_spreadsheet_does_no_harm(tmp_path: Path):
    path = sheet(tmp_path, "a,r,train,o,,l,,,")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_sample_sheet(path, Path())["a"].region == "r"


def test_optional_columns_may_be_absent(tmp_path: Path):
    path = sheet(tmp_path, "a,r,train,o,s,l", header="scene,region,split,optical,sar,label")
    assert read_sample_sheet(path, Path())["a"].cloud is None


def test_a_sheet_must_have_something_to_learn_from(tmp_path: Path):
    assert "no scene has the split train" in faults(tmp_path, "a,r,predict,o,s,,,,")


def test_two_scenes_of_the_same_files_are_a_fault(tmp_path: Path):
    text = faults(tmp_path, "a,r,train,o,s,l,,,", "b,r,test,o,s,l,,,")
    assert "row 3" in text and "stand in row 2 too" in text


def test_all_faults_are_told_at_once_with_row_and_remedy(tmp_path: Path):
    text = faults(
        tmp_path,
        "a,north,traim,o1,s,l,,,",
        "a,north,test,o2,s,l,,,",
        "b,North,train,o3,s,,,,",
        "c,north,predict,,,,,,",
        "d,north,predict,o4,,,,22.11.2026,",
        "bad name,north,predict,o5,,,,,",
    )
    assert "7 fault(s)" in text
    for fault in (
        "row 2: split 'traim' is none of train, val, test, predict (did you mean 'train'?)",
        "row 3: scene 'a' stands in row 2 too: give it another name",
        "row 4: region 'North' is spelt 'north' above: use one spelling",
        "row 4: split is train but label is empty: name a label file, or set split to predict",
        "row 5: optical and sar are both empty: name at least one file",
        "row 6: optical_date '22.11.2026' is no date: write it as 2026-11-22",
        "row 7: scene 'bad name': use letters, digits",
    ):
        assert fault in text, fault


def test_a_split_unlike_all_others_gets_the_list(tmp_path: Path):
    assert "(known: train, val, test, predict)" in faults(tmp_path, "a,r,xyz,o,s,l,,,")


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ("scene,region,split,optical,sar", "column 'label' is missing: add it to the header"),
        ("scene,region,split,optical,sar,label,clouds", "column 'clouds' is not known (did you mean 'cloud'?)"),
    ],
)
def test_columns_are_checked_first(tmp_path: Path, header: str, fault: str):
    assert fault in faults(tmp_path, ",".join(["x"] * (header.count(",") + 1)), header=header)


def test_rows_of_another_length_are_told(tmp_path: Path):
    assert "row 2: not as many cells as the header" in faults(tmp_path, "a,r,predict,o")
    assert "check its commas" in faults(tmp_path, "a,r,predict,o,s,l,c,,,,,surplus")


def test_a_sheet_without_rows_is_told(tmp_path: Path):
    assert "no rows: add a line for each scene" in faults(tmp_path)


def test_semicolons_are_told(tmp_path: Path):
    assert "save the sheet with commas" in faults(
        tmp_path, "a;r;train;o;s;l", header="scene;region;split;optical;sar;label"
    )


def test_files_that_do_not_exist_are_known(tmp_path: Path):
    (tmp_path / "o.tif").touch()
    found = read_sample_sheet(sheet(tmp_path, "a,r,train,o.tif,s.tif,l.tif,,,"), tmp_path)
    assert found.missing_files == (tmp_path / "s.tif", tmp_path / "l.tif")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path):
    with pytest.raises(SampleSheetError, match="absent.csv: no such file"):
        read_sample_sheet(tmp_path / "absent.csv", Path())
    (tmp_path / "latin.csv").write_bytes((HEADER + "\nsee,\xfcber,test,o,s,l,,,\n").encode("latin-1"))
    with pytest.raises(SampleSheetError, match="can't be read as CSV in UTF-8"):
        read_sample_sheet(tmp_path / "latin.csv", Path())
