import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from clairemap.code import analysis, stage


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "clairemap").mkdir()
    (tmp_path / "clairemap" / "__init__.py").write_text("")
    (tmp_path / "clairemap" / "m.py").write_text("def f():\n    return 1\n")
    (tmp_path / "stage.py").write_text("from clairemap.m import f\n\nf()\n")
    return tmp_path / "clairemap"


def definitions(package: Path) -> dict[str, str]:
    stage._state.cache_clear()
    analysis._analysis.cache_clear()
    return stage.definitions(package.parent / "stage.py", package)


def kept_files(package: Path) -> list[Path]:
    return sorted((package / "__pycache__").glob("code-*.json"))


@pytest.fixture
def analyses(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The scripts that are analysed, not taken from a kept file."""
    found: list[Path] = []
    analysed = analysis.analysed
    monkeypatch.setattr(analysis, "analysed", lambda *given: (found.append(given[0]), analysed(*given))[1])
    return found


def test_names_are_qualified(package: Path):
    assert set(definitions(package)) == {"clairemap.m.f", "stage.(statements)"}


def test_hashes_are_kept_between_starts(package: Path, analyses: list[Path]):
    assert definitions(package) == definitions(package)
    assert len(analyses) == len(kept_files(package)) == 1


@pytest.mark.parametrize("changed", ["clairemap/m.py", "stage.py", "clairemap/new.txt"])
def test_kept_hashes_are_of_exactly_this_code(package: Path, analyses: list[Path], changed: str):
    definitions(package)
    path = package.parent / changed
    kept = path.stat() if path.exists() else None
    path.write_text(path.read_text().replace("f()", "g()") if kept else "text")
    if kept:
        os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))  # of equal size and time
    definitions(package)
    assert len(analyses) == 2


def test_a_copy_of_the_code_needs_no_analysis(package: Path, analyses: list[Path]):
    first = definitions(package)
    os.utime(package / "m.py", (1e9, 1e9))
    assert definitions(package) == first and len(analyses) == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path, _: path.write_bytes(b""),
        lambda path, _: path.write_bytes(path.read_bytes()[:-20]),
        lambda path, _: path.write_bytes(b"\xff\xfe"),
        lambda path, _: path.write_text("[]"),
        lambda path, _: path.write_text('{"key": 1, "check": 2, "hashes": 3}'),
        lambda path, text: path.write_text(json.dumps({**text, "key": "another"})),
        lambda path, text: path.write_text(json.dumps({**text, "hashes": {**text["hashes"], "clairemap.m.f": "0"}})),
        lambda path, text: path.write_text(json.dumps({**text, "hashes": {}})),
    ],
)
def test_a_damaged_file_is_analysed_again(package: Path, analyses: list[Path], spoil: Callable[..., object]):
    first = definitions(package)
    (path,) = kept_files(package)
    spoil(path, json.loads(path.read_text()))
    assert definitions(package) == first
    assert len(analyses) == 2
    assert definitions(package) == first
    assert len(analyses) == 2


def test_a_read_only_checkout_uses_the_users_folder(package: Path, analyses: list[Path], tmp_path: Path):
    (package / "__pycache__").write_text("a file: nothing can be written in it, not even by root")
    first = definitions(package)
    assert definitions(package) == first and len(analyses) == 1
    assert len(list((tmp_path / "cache" / "clairemap").glob("code-*.json"))) == 1


def test_without_any_folder_the_code_is_analysed_each_time(package: Path, analyses: list[Path], tmp_path: Path):
    (package / "__pycache__").write_text("")
    (tmp_path / "cache").write_text("")
    assert definitions(package) == definitions(package) and len(analyses) == 2


def test_code_that_changes_during_the_analysis_is_not_kept(package: Path, monkeypatch: pytest.MonkeyPatch):
    analysed = analysis.analysed

    def edited(*given: object) -> dict[str, str]:
        found = analysed(*given)  # type: ignore[arg-type]
        (package / "m.py").write_text("def f():\n    return 2\n")
        return found

    monkeypatch.setattr(analysis, "analysed", edited)
    definitions(package)
    assert kept_files(package) == []


def test_old_files_are_removed(package: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stage, "KEPT", 2)
    for number in range(4):
        (package / "m.py").write_text(f"def f():\n    return {number}\n")
        definitions(package)
    assert len(kept_files(package)) == 2


def test_one_hash_for_all_definitions():
    assert stage.combined({"a": "1", "b": "2"}) == stage.combined({"b": "2", "a": "1"})
    assert stage.combined({"a": "1"}) != stage.combined({"a": "2"}) != stage.combined({"b": "2"})
