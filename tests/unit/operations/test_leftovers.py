"""Temporary files of killed jobs are found, others are not."""

import os
import time
from pathlib import Path

import pytest

from clairemap.operations.leftovers import find_leftovers, remove
from clairemap.provenance import temporary_beside


def make(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    return path


def test_only_names_of_our_pattern_are_removed(tmp_path: Path):
    kept = [
        make(tmp_path / name)
        for name in ("a.part", ".a.part", ".a.0123456789AB.part", ".a.0123456789ab.part.tif", "a.0123456789ab.part")
    ]
    parts = [make(temporary_beside(tmp_path / "scenes" / "a" / "tiles.parquet")), temporary_beside(tmp_path / "m.tif")]
    make(parts[1] / "cog.tif")
    found = find_leftovers([tmp_path, tmp_path / "absent"], before=time.time() + 1)
    assert sorted(found.removable) == sorted(parts) and not found.resumable and not found.recent
    for path in found.removable:
        remove(path)
        remove(path)
    assert all(path.exists() for path in kept) and not any(path.exists() for path in parts)


def test_files_newer_than_a_running_job_are_kept(tmp_path: Path):
    part = make(temporary_beside(tmp_path / "m.tif"))
    found = find_leftovers([tmp_path], before=part.stat().st_mtime - 1)
    assert (found.removable, found.recent) == ([], [part])


def test_a_folder_is_as_new_as_its_content(tmp_path: Path):
    part = temporary_beside(tmp_path / "m.tif")
    inside = make(part / "cog.tif")
    os.utime(inside, (2000, 2000))
    os.utime(part, (1000, 1000))
    assert find_leftovers([tmp_path], before=1500).recent == [part]
    assert find_leftovers([tmp_path], before=2500).removable == [part]


@pytest.mark.parametrize("finished", [False, True])
def test_incomplete_stores_are_kept_until_their_store_is_finished(tmp_path: Path, finished: bool):
    target = tmp_path / "fused" / "probabilities.zarr"
    part = temporary_beside(target.with_name(f"{target.name}.0123456789abcdef"))
    make(part / "zarr.json")
    if finished:
        make(target / "zarr.json")
    found = find_leftovers([tmp_path], before=time.time() + 1)
    assert (found.removable, found.resumable) == (([part], []) if finished else ([], [part]))


def test_stores_are_not_searched(tmp_path: Path):
    make(tmp_path / "pair.zarr" / ".x.0123456789ab.part")
    assert find_leftovers([tmp_path], before=time.time() + 1).removable == []
