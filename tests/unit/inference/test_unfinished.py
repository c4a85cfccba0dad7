from pathlib import Path

import pytest

from clairemap.inference.unfinished import unfinished


def fail_after_writing(target: Path, fingerprint: str, word: str):
    with pytest.raises(KeyboardInterrupt), unfinished(target, fingerprint) as part:
        part.mkdir(exist_ok=True)
        (part / "zarr.json").touch()
        with (part / "log").open("a") as file:
            file.write(word)
        raise KeyboardInterrupt


def test_next_run_of_the_job_takes_over_the_store(tmp_path: Path):
    target = tmp_path / "folder" / "a.zarr"
    fail_after_writing(target, "f1", "one ")
    fail_after_writing(target, "f1", "two ")
    with unfinished(target, "f1") as part:
        assert (part / "log").read_text() == "one two "
        part.rename(target)
    assert [path.name for path in target.parent.iterdir()] == ["a.zarr"]


def test_stores_of_other_jobs_for_this_target_are_deleted(tmp_path: Path):
    fail_after_writing(tmp_path / "a.zarr", "f1", "one")
    fail_after_writing(tmp_path / "b.zarr", "f1", "other target")
    with unfinished(tmp_path / "a.zarr", "f2") as part:
        assert not part.exists()
    assert len(list(tmp_path.iterdir())) == 1


def test_run_that_is_still_active_loses_its_store(tmp_path: Path):
    target = tmp_path / "a.zarr"
    with unfinished(target, "f1") as orphan:
        orphan.mkdir()
        (orphan / "zarr.json").touch()
        with unfinished(target, "f1") as part:
            assert part.exists() and not orphan.exists()


def test_files_of_an_orphan_at_the_old_path_are_not_resumed(tmp_path: Path):
    fail_after_writing(tmp_path / "a.zarr", "f1", "real")
    for name in (".a.zarr.f1.000000000000.part", ".a.zarr.f1.ffffffffffff.part"):
        (tmp_path / name / "probability" / "c" / "0").mkdir(parents=True)
    with unfinished(tmp_path / "a.zarr", "f1") as part:
        assert (part / "log").read_text() == "real"
        assert list(tmp_path.iterdir()) == [part]


def test_largest_store_is_resumed(tmp_path: Path):
    fail_after_writing(tmp_path / "a.zarr", "f1", "merged: fewer files, more bytes")
    for number in range(9):
        other = tmp_path / f".a.zarr.f1.{number:012}.part"
        other.mkdir()
        for name in ("zarr.json", "log", "1", "2"):
            (other / name).touch()
    with unfinished(tmp_path / "a.zarr", "f1") as part:
        assert (part / "log").read_text().startswith("merged")
