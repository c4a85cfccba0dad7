"""One folder owns a work folder, one work folder the results of a region."""

import shutil
from pathlib import Path

import pytest

from clairemap.errors import SettingsError
from clairemap.operations.controllers import registered
from clairemap.operations.ownership import (
    OWNER_FILE,
    check_owner,
    check_results,
    own,
    own_results,
    owner_of,
    take_over,
)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    made = (tmp_path / "work", tmp_path / "first", tmp_path / "second")
    for folder in made:
        folder.mkdir()
    return made


def test_the_first_folder_owns_it_and_others_are_refused(folders: tuple[Path, Path, Path]):
    work, first, second = folders
    own(work, first)
    own(work, first)
    check_owner(work, first)
    with pytest.raises(SettingsError, match=rf"belongs to the runs in {first}.*TAKE_OVER={work}"):
        own(work, second)
    assert owner_of(work) == first


def test_a_work_folder_without_owner_is_free(folders: tuple[Path, Path, Path]):
    work, first, _ = folders
    check_owner(work, first)
    check_owner(work / "absent", first)
    (work / OWNER_FILE).write_text("{")
    own(work, first)
    assert owner_of(work) == first


def test_a_moved_or_copied_work_folder_belongs_to_the_folder_that_uses_it(folders: tuple[Path, Path, Path]):
    work, first, second = folders
    own(work, first)
    copy = second / "work"
    shutil.copytree(work, copy)
    own(copy, second)
    assert (owner_of(copy), owner_of(work)) == (second, first)


def test_it_can_be_taken_over_unless_the_owner_runs(folders: tuple[Path, Path, Path]):
    work, first, second = folders
    own(work, first)
    with registered(first), pytest.raises(SettingsError, match=r"running in the folder that owns it, .*first"):
        take_over(work, second)
    assert take_over(work, second) == first
    with pytest.raises(SettingsError, match="second"):
        check_owner(work, first)


@pytest.fixture
def results(tmp_path: Path, folders: tuple[Path, Path, Path]) -> list[Path]:
    """Results of two regions, made with the work folder of the first folder."""
    del folders
    places = [tmp_path / "results" / name for name in ("north", "south")]
    (tmp_path / "first" / "work").mkdir()
    own_results(places, tmp_path / "first" / "work", tmp_path / "first")
    return places


def test_results_belong_to_a_work_folder(folders: tuple[Path, Path, Path], results: list[Path]):
    _, first, second = folders
    own_results(results, first / "work", first)
    said = rf"results of region south belong to the runs in {first} with work_dir {first}/work.*TAKE_OVER={results[1]} "
    for user in (second, first):  # also from the same folder, with another config file
        with pytest.raises(SettingsError, match=said):
            check_results(results[1:], second / "work", user)
    own_results([results[0].with_name("east")], second / "work", second)


def test_results_are_free_if_they_were_copied_or_their_work_folder_is_gone(
    folders: tuple[Path, Path, Path], results: list[Path]
):
    _, first, second = folders
    copy = shutil.copytree(results[0], second / "north")
    own_results([copy], second / "work", second)
    (first / "work").rename(first / "scratch")
    own_results(results, first / "scratch", first)
    with pytest.raises(SettingsError, match="first/scratch"):
        check_results(results, second / "work", second)


def test_results_can_be_taken_over_unless_the_owner_runs(folders: tuple[Path, Path, Path], results: list[Path]):
    _, first, second = folders
    with registered(first), pytest.raises(SettingsError, match=r"running in the folder that owns it, .*first"):
        take_over(results[0], second)
    assert take_over(results[0], second) == first
    with pytest.raises(SettingsError, match="work_dir not known yet"):
        check_results(results, first / "work", first)
    (second / "work").mkdir()
    own_results(results[:1], second / "work", second)
    with pytest.raises(SettingsError, match="second/work"):
        check_results(results, first / "work", first)


def test_results_that_cannot_be_written_are_left_to_the_check_before_the_jobs(folders: tuple[Path, Path, Path]):
    _, first, _ = folders
    own_results([Path("/proc/results/north")], first / "work", first)
    with pytest.raises(SettingsError, match="cannot be written"):
        take_over(Path("/proc/results/north"), first)
