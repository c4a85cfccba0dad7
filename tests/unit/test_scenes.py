import datetime
import re
from pathlib import Path

import pytest

from clairemap import scenes
from clairemap.errors import SampleSheetError
from clairemap.scenes import NAME, NAME_WILDCARD, SampleSheet, read_sample_sheet

HEADER = "scene,region,split,optical,sar,label,cloud,optical_date,sar_date"


def sheet(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "scenes.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def faults(folder: Path, *rows: str, header: str = HEADER) -> str:
    with pytest.raises(SampleSheetError) as caught:
        read_sample_sheet(sheet(folder, *rows, header=header), Path("data"))
    return str(caught.value)


def test_a_given_model_needs_no_training_rows_and_allows_none(tmp_path: Path):
    path = sheet(tmp_path, "a,north,predict,o.tif,,,,,", "b,north,test,b.tif,,l.tif,,,")
    assert [scene.split for scene in read_sample_sheet(path, Path("data"), trains=False)] == ["predict", "test"]
    path = sheet(
        tmp_path, "a,north,train,o.tif,,l.tif,,,", "b,north,val,b.tif,,m.tif,,,", "c,north,test,c.tif,,n.tif,,,"
    )
    with pytest.raises(SampleSheetError) as caught:
        read_sample_sheet(path, Path("data"), trains=False)
    assert "2 error(s)" in str(caught.value)
    assert "row 2: split is train, but nothing is trained, because the setting model names" in str(caught.value)
    assert "row 3: split is val" in str(caught.value)


def test_reads_rows_in_order(tmp_path: Path):
    path = sheet(
        tmp_path,
        "lake_a,north,train,a/o.tif,a/s.tif,a/l.tif,a/c.tif,2026-05-01,2026-05-03",
        "lake_b,south, predict ,,b/s.tif,,,,",
    )
    first, second = read_sample_sheet(path, Path("data"))
    assert first.scene == "lake_a"
    assert first.optical == "data/a/o.tif"
    assert first.optical_date == datetime.date(2026, 5, 1)
    assert first.sources == {role: f"data/a/{role[0]}.tif" for role in ("optical", "sar", "label", "cloud")}
    assert second.split == "predict"
    assert second.sources == {"sar": "data/b/s.tif"}
    assert second.sar_date is None


def test_the_order_of_the_rows_does_not_matter(tmp_path: Path):
    rows = list(ROWS)
    forwards, backwards = ("\n".join([HEADER, *order]) for order in (rows, rows[::-1]))
    assert list(read(tmp_path, forwards)) == list(read(tmp_path, backwards))


def test_absolute_paths_stay(tmp_path: Path):
    (scene,) = read_sample_sheet(sheet(tmp_path, "a,r,train,/scratch/o.tif,,l.tif,,,"), Path("data"))
    assert scene.optical == "/scratch/o.tif"


def test_looks_up_by_name_region_and_split(tmp_path: Path):
    found = read_sample_sheet(
        sheet(tmp_path, "a,north,train,o1,,l,,,", "b,south,test,o2,,l,,,", "c,north,predict,o3,,,,,"), Path()
    )
    assert found.regions == ("north", "south")
    assert [scene.scene for scene in found.in_region("north")] == ["a", "c"]
    assert [scene.scene for scene in found.of_split("train", "test")] == ["a", "b"]
    assert found["b"].region == "south"


def test_byte_order_mark_is_ignored(tmp_path: Path):
    path = sheet(tmp_path, "a,r,train,o,,l,,,")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_sample_sheet(path, Path())["a"].region == "r"


def test_optional_columns_may_be_missing(tmp_path: Path):
    path = sheet(tmp_path, "a,r,train,o,s,l", header="scene,region,split,optical,sar,label")
    assert read_sample_sheet(path, Path())["a"].cloud is None


def test_a_sheet_needs_a_training_scene(tmp_path: Path):
    assert "no scene has split train" in faults(tmp_path, "a,r,predict,o,s,,,,")


def test_two_scenes_with_the_same_files_are_an_error(tmp_path: Path):
    text = faults(tmp_path, "a,r,train,o,s,l,,,", "b,r,test,o,s,l,,,")
    assert "row 3: same optical and sar files as row 2" in text


def test_all_faults_are_listed_with_row_and_remedy(tmp_path: Path):
    text = faults(
        tmp_path,
        "a,north,traim,o1,s,l,,,",
        "a,north,test,o2,s,l,,,",
        "b,North,train,o3,s,,,,",
        "c,north,predict,,,,,,",
        "d,north,predict,o4,,,,22.11.2026,",
        "bad name,north,predict,o5,,,,,",
    )
    assert "7 error(s)" in text
    for fault in (
        "row 2: split 'traim' is not one of train, val, test, predict (did you mean 'train'?)",
        "row 3: scene 'a' is also in row 2: rename one of them",
        "row 4: region 'North' is spelled 'north' above: use one spelling",
        "row 4: split is train, but label is empty: name a label file, or set split to predict",
        "row 5: optical and sar are both empty: name at least one file",
        "row 6: optical_date '22.11.2026': not a date: use YYYY-MM-DD, for example 2026-05-12",
        "row 7: scene 'bad name': use letters, digits",
    ):
        assert fault in text, fault


def test_an_unknown_split_gets_the_list_of_splits(tmp_path: Path):
    assert "(known: train, val, test, predict)" in faults(tmp_path, "a,r,xyz,o,s,l,,,")


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ("scene,region,split,optical,sar", "column 'label' is missing: add it to the header"),
        ("scene,region,split,optical,sar,label,clouds", "unknown column 'clouds' (did you mean 'cloud'?)"),
    ],
)
def test_columns_are_checked_first(tmp_path: Path, header: str, fault: str):
    assert fault in faults(tmp_path, ",".join(["x"] * (header.count(",") + 1)), header=header)


def test_rows_with_another_number_of_cells_are_an_error(tmp_path: Path):
    assert "row 2: 4 cells, but the header has 9" in faults(tmp_path, "a,r,predict,o")
    assert "check the commas" in faults(tmp_path, "a,r,predict,o,s,l,c,,,,,surplus")


def test_a_sheet_without_rows_is_an_error(tmp_path: Path):
    assert "no rows: add one row per scene" in faults(tmp_path)


def test_semicolons_are_an_error(tmp_path: Path):
    assert "save the sheet with commas" in faults(
        tmp_path, "a;r;train;o;s;l", header="scene;region;split;optical;sar;label"
    )


def test_missing_files_are_listed(tmp_path: Path):
    (tmp_path / "o.tif").touch()
    found = read_sample_sheet(sheet(tmp_path, "a,r,train,o.tif,s.tif,l.tif,,,"), tmp_path)
    assert found.missing_files == {("a", "sar"): tmp_path / "s.tif", ("a", "label"): tmp_path / "l.tif"}


def test_an_unreadable_file_is_an_error(tmp_path: Path):
    with pytest.raises(SampleSheetError, match="absent.csv: no such file"):
        read_sample_sheet(tmp_path / "absent.csv", Path())
    (tmp_path / "latin.csv").write_bytes((HEADER + "\nsee,\xfcber,test,o,s,l,,,\n").encode("latin-1"))
    with pytest.raises(SampleSheetError, match="not CSV in UTF-8"):
        read_sample_sheet(tmp_path / "latin.csv", Path())


ROWS = ("a,r,train,a_o.tif,a_s.tif,a_l.tif,,2026-05-01,2026-05-02", "b,r,predict,b_o.tif,b_s.tif,,,,")


def read(folder: Path, content: str | bytes) -> SampleSheet:
    path = folder / "scenes.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_sample_sheet(path, Path())


def rejected(folder: Path, content: str | bytes) -> str:
    with pytest.raises(SampleSheetError) as caught:
        read(folder, content)
    return str(caught.value)


@pytest.mark.parametrize(
    "lines",
    [
        (HEADER, *ROWS, "," * 8, "," * 8),
        (HEADER, *ROWS, " , ,,,,,,,"),
        (f"{HEADER},", *(f"{row}," for row in ROWS)),
        (HEADER, *(f"{row},," for row in ROWS)),
        ("sep=,", HEADER, *ROWS),
        ("", HEADER, "", ROWS[0], "", ROWS[1]),
        (HEADER.title(), *ROWS),
        (HEADER.replace(",", " , "), *(row.replace(",", " , ") for row in ROWS)),
        (",".join(f'"{name}"' for name in HEADER.split(",")), *ROWS),
        (HEADER, ROWS[0].replace("a_l.tif", '"a_l.tif\n"'), ROWS[1]),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_peculiarities_of_spreadsheet_exports_are_accepted(tmp_path: Path, lines: tuple[str, ...], line_end: str):
    first, second = read(tmp_path, line_end.join(lines))
    assert (first.scene, first.label, first.sar_date) == ("a", "a_l.tif", datetime.date(2026, 5, 2))
    assert (second.scene, second.label, second.sar_date) == ("b", None, None)


def test_rows_are_numbered_by_line_of_the_file(tmp_path: Path):
    bad = ROWS[1].replace("predict", "predictt")
    assert "row 5: split 'predictt'" in rejected(tmp_path, "\n".join([HEADER, "", "", ROWS[0], bad]))
    two_lines = ROWS[0].replace("a_l.tif", '"a_l.tif\n"')
    assert "row 4: split 'predictt'" in rejected(tmp_path, "\n".join([HEADER, two_lines, bad]))
    assert "row 4: same optical and sar files as row 3" in rejected(
        tmp_path, "\n".join([HEADER, ",,,,,,,,", ROWS[0], ROWS[0]])
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("\n".join([HEADER, *ROWS]).replace(",", "\t"), "cells are separated by tabs: save the sheet with commas"),
        ("sep=;\n" + "\n".join([HEADER, *ROWS]).replace(",", ";"), "cells are separated by ';'"),
        ("\n".join([HEADER, *ROWS]).encode("utf-16"), "UTF-16"),
        ("\n".join([HEADER, *ROWS]).encode("utf-16-le"), "UTF-16"),
        (b"PK\x03\x04...", "workbook"),
        ("\n".join([HEADER, "", ROWS[0].replace("a_o", "Gr\u00fcn")]).encode("latin-1"), "0xfc in line 3"),
        ("\n".join(["# mine", HEADER, *ROWS]), "row 1 begins with '#'"),
        (b"", "no rows"),
    ],
)
def test_another_file_format_gets_one_hint(tmp_path: Path, content: str | bytes, words: str):
    text = rejected(tmp_path, content)
    assert words in text and text.count("column") == 0


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("a,r,", "x" * 300 + ",r,", "has 300 characters: use at most 100"),
        ("a,r,", f"a,{'r' * 101},", "region"),
        ("a_l", "a\0l", "label 'a\\x00l.tif' contains a NUL"),
        ("a_l.tif", '"a_\nl.tif"', "contains a line break"),
        ("a_l.tif", "a_o.tif", "optical and label are the same file 'a_o.tif'"),
        ("a_l.tif", "./a_s.tif", "sar and label are the same file"),
        ("2026-05-01", "2026-W18-5", "optical_date '2026-W18-5': not a date"),
        ("2026-05-01", "2026-121", "not a date"),
        ("2026-05-01", "46143", "not a date"),
        ("2026-05-01", "2026-05-01T10:20:30Z", "not a date"),
        ("2026-05-01", "20260230", "no such day"),
        ("2026-05-01", "2926-05-01", "optical_date '2926-05-01' is in the future"),
        ("2026-05-01", "0206-05-01", "long ago"),
        (
            "a_o.tif",
            "$CLAIREMAP_UNSET/a_o.tif",
            "optical: '$CLAIREMAP_UNSET/a_o.tif': the variable $CLAIREMAP_UNSET is not",
        ),
        ("a_o.tif", "~no_such_user_here/o.tif", "no user 'no_such_user_here'"),
    ],
)
def test_invalid_cells_are_an_error(tmp_path: Path, old: str, new: str, words: str):
    text = rejected(tmp_path, "\n".join([HEADER, ROWS[0].replace(old, new, 1), ROWS[1]]))
    assert words in text and "1 error(s)" in text and "row 2: " in text


def test_compact_dates_are_accepted(tmp_path: Path):
    scene = read(tmp_path, "\n".join([HEADER, ROWS[0].replace("2026-05-01", "20260105")]))["a"]
    assert scene.optical_date == datetime.date(2026, 1, 5)


def test_repeated_and_nameless_columns_are_an_error(tmp_path: Path):
    assert "column 'label' occurs 2 times" in rejected(tmp_path, f"{HEADER},Label\n{ROWS[0]},other.tif\n")
    assert "row 2: 'x' is in a column without a name" in rejected(tmp_path, f"{HEADER},\n{ROWS[0]},x\n")


def test_both_sensors_may_be_in_one_file_and_names_may_differ_in_case(tmp_path: Path):
    text = "\n".join([HEADER, ROWS[0].replace("a_s.tif", "a_o.tif"), ROWS[0].replace("a,r", "A,r").replace("a_", "c_")])
    assert [scene.scene for scene in read(tmp_path, text)] == ["A", "a"]


def test_names_that_differ_in_case_only_are_an_error_if_the_file_system_ignores_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(scenes, "_folds_case", lambda _: True)
    duplicate = ROWS[0].replace("a,r", "A,r").replace("a_", "c_")
    assert "row 3: scene 'A' is also in row 2 (this file system" in rejected(
        tmp_path, "\n".join([HEADER, ROWS[0], duplicate])
    )


def test_home_and_variables_are_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("SCRATCH", "/scratch/me")
    row = ROWS[0].replace("a_o", "~/a_o").replace("a_s", "$SCRATCH/a_s").replace("a_l", "${SCRATCH}/a_l")
    scene = read(tmp_path, f"{HEADER}\n{row}\n")["a"]
    files = ("/home/me/a_o.tif", "/scratch/me/a_s.tif", "/scratch/me/a_l.tif")
    assert (scene.optical, scene.sar, scene.label) == files


def test_a_file_with_too_long_a_name_is_missing(tmp_path: Path):
    sheet = read(tmp_path, f"{HEADER}\n{ROWS[0].replace('a_o', 'o' * 300)}\n")
    assert len(sheet.missing_files) == 3


def test_unknown_names_are_errors_with_the_closest_name(tmp_path: Path):
    found = read_sample_sheet(sheet(tmp_path, "lake_a,north,train,o,,l,,,"), Path())
    with pytest.raises(SampleSheetError, match=r"no scene 'lake_b' \(did you mean 'lake_a'\?\)"):
        found["lake_b"]
    for names in (found.names_in, found.in_region):
        with pytest.raises(SampleSheetError, match=r"no region 'nroth' \(did you mean 'north'\?\)"):
            names("nroth")


def test_a_scene_is_built_once(tmp_path: Path):
    found = read_sample_sheet(sheet(tmp_path, "a,r,train,o,,l,,,"), Path())
    assert found["a"] is found["a"] is next(iter(found))


def test_only_the_same_sheet_is_not_checked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    checks: list[Path] = []
    monkeypatch.setattr("clairemap.scenes._check", lambda path, *_: checks.append(path))
    path = sheet(tmp_path, "a,r,train,o,,l,,,")
    first = read_sample_sheet(path, Path())
    again = read_sample_sheet(path, Path(), first.digest)
    assert list(again) == list(first) and len(checks) == 1
    assert read_sample_sheet(path, Path("elsewhere"), first.digest).digest != first.digest
    path.write_text(path.read_text() + "b,r,train,o2,,l2,,,\n")
    assert len(list(read_sample_sheet(path, Path(), first.digest))) == 2
    assert len(checks) == 3


@pytest.mark.parametrize("name", ["a", "A1", "a-b_c", "0"])
def test_the_wildcard_has_the_names_of_the_sheet(name: str):
    assert re.fullmatch(NAME_WILDCARD, name) and NAME.match(name)


@pytest.mark.parametrize("name", ["", "-a", "_a", "a.b", "a/b", "a b", "a\n"])
def test_the_wildcard_has_no_other_names(name: str):
    assert not re.fullmatch(NAME_WILDCARD, name) and not NAME.match(name)
