"""One folder owns a work folder."""

import shutil
from pathlib import Path

import pytest

from clairemap.errors import SettingsError
from clairemap.operations.controllers import registered
from clairemap.operations.ownership import OWNER_FILE, check_owner, own, owner_of, take_over


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
    with registered(first), pytest.raises(SettingsError, match=r"running in its folder .*first"):
        take_over(work, second)
    assert take_over(work, second) == first
    with pytest.raises(SettingsError, match="second"):
        check_owner(work, first)
