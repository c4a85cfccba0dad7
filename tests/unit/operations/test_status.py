"""State of a run's jobs."""

import base64
import dataclasses
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from clairemap.errors import OperationError
from clairemap.operations import status as module
from clairemap.operations.controllers import SILENCE_S, Controller, start_ticks, state_folder
from clairemap.operations.planned import Machine, PlannedJob
from clairemap.operations.queue import QueuedJob
from clairemap.operations.run_record import RunStart, end_file, read_start, record_end, start_file
from clairemap.operations.status import RunStatus, last_line, run_status
from clairemap.operations.status_text import status_text

START_S = 1_700_000_000
JOBS = (
    PlannedJob("tile_scene", "west", "west", outputs=("west.zarr", "west.json"), log="west.log"),
    PlannedJob("tile_scene", "east", "east", outputs=("east.json",), log="east.log"),
    PlannedJob("predict_scene", "west.fused", "west", outputs=("west.out",), log="west2.log", needs=(0,)),
    PlannedJob("predict_scene", "east.fused", "east", outputs=("east.out",), log="east2.log", needs=(1,)),
)


class Minute:
    """Each job takes a minute."""

    each_s: float | None = 60.0

    def seconds(self, _job: PlannedJob) -> float | None:
        return self.each_s


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    begin(tmp_path)
    return tmp_path


def begin(folder: Path, executor: str = "local", process: int | None = None, host: str | None = None) -> None:
    register(folder, process=process, host=host)
    start = RunStart(
        process=process or os.getpid(),
        host=host or socket.gethostname(),
        seconds=START_S,
        machine=Machine(executor, 2, 10),
        done_before={"register_pair": 2},
        jobs=JOBS,
    )
    path = start_file(folder / "work")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(start.model_dump_json())
    os.utime(path, (START_S, START_S))


def register(folder: Path, *, process: int | None = None, host: str | None = None, ticks: str | None = None) -> None:
    """Write the record of a Snakemake process."""
    mine = Controller.this_process()
    pid = process or mine.pid
    ticks = ticks or start_ticks(pid) or "1"
    one = dataclasses.replace(mine, pid=pid, host=host or mine.host, ticks=ticks)
    path = state_folder(folder) / "controllers" / f"{one.host}.{pid}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dataclasses.asdict(one)))


def write(path: Path, text: str = "", after_s: int = 10) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (START_S + after_s, START_S + after_s))


def mark(folder: Path, output: str, number: str | None = None, after_s: int = 10) -> None:
    """Mark an output as Snakemake does."""
    code = base64.urlsafe_b64encode(output.encode()).decode()
    write(folder / ".snakemake" / "incomplete" / code, json.dumps({"external_jobid": number}), after_s)


def state(folder: Path) -> RunStatus:
    return run_status(folder / "work", folder, START_S + 70.0)


def text(folder: Path) -> str:
    return status_text(state(folder), Minute())  # type: ignore[arg-type]


def test_nothing_has_happened_yet(folder: Path):
    assert state(folder).states == ("waiting",) * 4
    assert "running. 2 of 6 jobs are done." in text(folder)


def test_outputs_of_earlier_runs_do_not_count(folder: Path):
    write(folder / "west.json", after_s=-100)
    write(folder / "west.log", after_s=-100)
    assert state(folder).states[0] == "waiting"


def test_done_running_and_failed_jobs(folder: Path):
    write(folder / "west.json")
    write(folder / "west.log", "fine")
    mark(folder, "west.out")
    write(folder / "west2.log", "start\nwindow 3 of 9\n\n")
    write(folder / "east.log", "trace\nERROR: east.tif: cut off (UnreadableFileError, exit code 13)\n")
    found = state(folder)
    assert found.states == ("done", "failed", "running", "blocked")
    said = text(folder)
    assert "predict_scene west.fused: 1 min, last log line: window 3 of 9" in said
    assert "tile_scene east: ERROR: east.tif: cut off (UnreadableFileError, exit code 13)\n    log: east.log" in said
    assert "1 job(s) cannot run, because a job that they need failed." in said
    assert "Expected end: about" in said


def test_a_mark_with_a_long_name(folder: Path):
    name = base64.urlsafe_b64encode(b"west.json").decode()
    write(folder / ".snakemake" / "incomplete" / f"@{name[:4]}" / name[4:], "{}")
    assert state(folder).states[0] == "running"


def test_a_half_written_mark_counts_as_running(folder: Path):
    mark(folder, "west.json")
    (folder / ".snakemake" / "incomplete" / base64.urlsafe_b64encode(b"west.json").decode()).write_text("{")
    assert state(folder).states[0] == "running"


def test_the_expected_end_counts_needs_and_time_already_used(folder: Path):
    mark(folder, "west.json", after_s=40)
    assert state(folder).seconds_left(Minute()) == pytest.approx(120)  # type: ignore[arg-type]
    mark(folder, "east.json", after_s=40)
    assert state(folder).seconds_left(Minute()) == pytest.approx(90)  # type: ignore[arg-type]


def test_a_job_that_takes_longer_than_estimated_needs_a_little_more(folder: Path):
    mark(folder, "west.json", after_s=-1000)
    left = state(folder).seconds_left(Minute())  # type: ignore[arg-type]
    assert left == pytest.approx(120)  # east and its map; west needs 3 s more, then its map
    assert state(folder)._left(0, 60.0) == pytest.approx(3)


def test_jobs_of_a_killed_run_that_are_still_in_the_queue_run(folder: Path, monkeypatch: pytest.MonkeyPatch):
    begin(folder, executor="cluster", process=gone())
    mark(folder, "west.json", "11")
    mark(folder, "east.json", "12")
    running = QueuedJob("11", "clairemap_1111", "RUNNING", "None", "N/A", str(folder), "")
    monkeypatch.setattr(module, "queued_jobs", lambda _folder: {"11": running})
    assert state(folder).states[:2] == ("running", "waiting")


def test_a_finished_and_a_failed_run(folder: Path):
    record_end(folder / "work", failed=False)
    assert "4 job(s) were not part of this run" in text(folder)
    for job in JOBS:
        write(folder / job.outputs[-1])
    assert "All jobs are done." in text(folder)
    assert "finished" in text(folder) and "Expected end" not in text(folder)
    record_end(folder / "work", failed=True)
    assert "ended with failed jobs" in text(folder)
    assert "Correct the cause" in text(folder)
    end_file(folder / "work").unlink()


def gone() -> int:
    """Return the number of a process that has ended."""
    ended = os.fork()
    if ended == 0:
        os._exit(0)
    os.waitpid(ended, 0)
    return ended


def test_a_killed_run(folder: Path):
    ended = gone()
    begin(folder, process=ended)
    mark(folder, "west.json")
    assert state(folder).states[0] == "waiting"
    assert "killed" in text(folder) and f"Process {ended} no longer exists" in text(folder)


def test_a_later_process_with_the_number_of_a_killed_run_is_another_one(folder: Path):
    assert state(folder).alive
    register(folder, ticks="1")
    assert not state(folder).alive and "killed" in text(folder)


def test_a_run_on_another_machine_is_alive_while_it_gives_signs_of_life(folder: Path):
    begin(folder, process=1, host="login7")
    assert state(folder).alive and "on login7" in text(folder)
    record = state_folder(folder) / "controllers" / "login7.1.json"
    last = record.stat().st_mtime - SILENCE_S - 1
    os.utime(record, (last, last))
    assert not state(folder).alive


def test_queued_jobs_are_told_from_running_ones(folder: Path, monkeypatch: pytest.MonkeyPatch):
    begin(folder, executor="cluster")
    mark(folder, "west.json", "11")
    mark(folder, "east.json", "12")
    queue = {
        number: QueuedJob(number, "clairemap_1111", word, reason, "N/A", str(folder), "")
        for number, word, reason in (("11", "RUNNING", "None"), ("12", "PENDING", "Resources"))
    }
    monkeypatch.setattr(module, "queued_jobs", lambda _folder: queue)
    assert state(folder).states[:2] == ("running", "queued")
    assert "SLURM: 1 job(s) running, 1 waiting (Resources 1)." in text(folder)
    assert "plus the time in the queue" in text(folder)
    monkeypatch.setattr(module, "queued_jobs", lambda _folder: None)
    assert state(folder).states[:2] == ("running", "running")
    assert "squeue is not available" in text(folder)


def test_an_unknown_time_makes_the_end_unknown(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Minute, "each_s", None)
    assert "Expected end: unknown" in text(folder)


def test_without_a_run_the_remedy_is_named(tmp_path: Path):
    with pytest.raises(OperationError, match="no run was started with this work_dir; make plan"):
        read_start(tmp_path)
    write(start_file(tmp_path), "{}")
    with pytest.raises(OperationError, match="not a valid record of a run"):
        read_start(tmp_path)


def test_the_last_line_of_a_log(tmp_path: Path):
    path: Any = tmp_path / "a.log"
    assert last_line(path) == ""
    path.write_text("one\ntwo\r50 %\r100 %\n\n")
    assert last_line(path) == "100 %"
