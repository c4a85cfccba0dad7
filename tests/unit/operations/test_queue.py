"""SLURM's answer about queued jobs."""

from pathlib import Path

import pytest

from clairemap.operations.queue import parsed_queue, queued_jobs

ANSWER = """\
11|RUNNING|None|/scratch/alps
12|PENDING|Resources|/scratch/alps
13|PENDING|Priority|/scratch/other
broken line
"""


def test_only_jobs_of_the_folder_count():
    found = parsed_queue(ANSWER, Path("/scratch/alps"))
    assert set(found) == {"11", "12"}
    assert not found["11"].waits and found["12"].waits and found["12"].reason == "Resources"


def squeue(folder: Path, text: str) -> None:
    (folder / "squeue").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "squeue").chmod(0o755)


def test_squeue_is_asked_and_a_failure_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert queued_jobs(tmp_path) is None
    squeue(tmp_path, f"echo '7|RUNNING|None|{tmp_path}'")
    found = queued_jobs(tmp_path)
    assert found is not None and set(found) == {"7"}
    squeue(tmp_path, "exit 1")
    assert queued_jobs(tmp_path) is None
