"""SLURM's answer about queued jobs."""

from pathlib import Path

import pytest

from clairemap.operations import queue
from clairemap.operations.queue import parse_queue, queued_jobs

ANSWER = """\
11|clairemap_1|RUNNING|None|2026-11-27T06:55:45|/scratch/alps|rule_tile_scene_wildcards_west
12|clairemap_1|PENDING|Resources|N/A|/scratch/alps|a comment | with a bar
13|clairemap_2|PENDING|Priority|N/A|/scratch/other|(null)
broken line
"""


def test_only_jobs_of_the_folder_count(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(queue, "read_queue", lambda **_: parse_queue(ANSWER))
    found = queued_jobs(Path("/scratch/alps"))
    assert found is not None and set(found) == {"11", "12"}
    assert not found["11"].waits and found["12"].waits and found["12"].reason == "Resources"


def test_jobs_are_described_by_rule_and_state():
    jobs = parse_queue(ANSWER)
    assert jobs[0].described == "11 (tile_scene west, running)"
    assert jobs[1].comment == "a comment | with a bar"


def squeue(folder: Path, text: str) -> None:
    (folder / "squeue").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "squeue").chmod(0o755)


def test_squeue_is_asked_and_a_failure_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert queued_jobs(tmp_path) is None
    squeue(tmp_path, f"echo '7|clairemap_1|RUNNING|None|N/A|{tmp_path}|x'")
    found = queued_jobs(tmp_path)
    assert found is not None and set(found) == {"7"}
    squeue(tmp_path, "exit 1")
    assert queued_jobs(tmp_path) is None
