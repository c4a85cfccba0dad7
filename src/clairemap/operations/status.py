"""State of a run's jobs, from the record of the run, its outputs, logs and Snakemake's marks; takes no lock."""

import base64
import binascii
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from clairemap.attempts.records import ENDED, FOUND, STARTED
from clairemap.operations.controllers import controllers_of
from clairemap.operations.costs import Costs
from clairemap.operations.planned import PlannedJob
from clairemap.operations.queue import QueuedJob, queued_jobs
from clairemap.operations.run_record import RunEnd, RunStart, read_end, read_start, start_file
from clairemap.operations.schedule import wall_seconds

State = Literal["done", "running", "queued", "waiting", "failed", "blocked"]
LEAST_LEFT = 0.05
"""Share of the estimated time that a running job needs at least, when it takes longer than estimated."""
TAIL_BYTES = 4000


@dataclass(frozen=True)
class Mark:
    """Snakemake's mark of a job that was started or submitted: since when, and its number in the cluster."""

    since_s: float
    number: str | None


@dataclass(frozen=True)
class RunStatus:
    """State of each job of a run. `now_s` is the time in the file system's clock."""

    start: RunStart
    end: RunEnd | None
    alive: bool
    started_s: float
    now_s: float
    states: tuple[State, ...]
    marks: Mapping[int, Mark]
    queue: Mapping[str, QueuedJob] | None

    def of_state(self, *states: State) -> list[tuple[int, PlannedJob]]:
        """Return the jobs in given states, with their positions."""
        return [(index, self.start.jobs[index]) for index, state in enumerate(self.states) if state in states]

    @cached_property
    def by_stage(self) -> dict[str, Counter[State]]:
        """Number of jobs in each state, by stage; results from before the run are done."""
        counts: dict[str, Counter[State]] = {}
        for rule, number in self.start.done_before.items():
            counts.setdefault(rule, Counter())["done"] += number
        for job, state in zip(self.start.jobs, self.states, strict=True):
            counts.setdefault(job.rule, Counter())[state] += 1
        return counts

    def seconds_left(self, costs: Costs) -> float | None:
        """Return the time until the last job that can run ends; None if the time of one is unknown."""
        left = [index for index, state in enumerate(self.states) if state in ("running", "queued", "waiting")]
        places = {index: place for place, index in enumerate(left)}
        jobs = [
            replace(job, needs=tuple(places[need] for need in job.needs if need in places))
            for job in (self.start.jobs[index] for index in left)
        ]
        seconds = [self._left(index, costs.seconds(self.start.jobs[index])) for index in left]
        known = [value for value in seconds if value is not None]
        return wall_seconds(jobs, known, self.start.machine) if len(known) == len(seconds) else None

    def _left(self, index: int, whole_s: float | None) -> float | None:
        if whole_s is None or self.states[index] != "running":
            return whole_s
        return max(whole_s - self.running_s(index), LEAST_LEFT * whole_s)

    def running_s(self, index: int) -> float:
        """Return for how long a job has been running, seconds."""
        mark = self.marks.get(index)
        return max(0.0, self.now_s - mark.since_s) if mark else 0.0


def run_status(work: Path, folder: Path, now_s: float) -> RunStatus:
    """Return the state of the last run.

    Args:
        work: work folder.
        folder: folder in which Snakemake runs.
        now_s: the time now, as in time stamps of files.

    Raises:
        OperationError: no run was started with this work folder.
    """
    start, end = read_start(work), read_end(work)
    started_s = (folder / start_file(work)).stat().st_mtime
    marks = dict(_marks(start.jobs, folder))
    queue = None if start.machine.is_local else queued_jobs(folder)
    states = [_state(job, marks.get(index), queue, started_s, folder) for index, job in enumerate(start.jobs)]
    alive = end is None and _is_alive(start, folder)
    if not alive:
        states = [
            "waiting" if state == "running" and not _in_queue(marks.get(i), queue) else state
            for i, state in enumerate(states)
        ]
    return RunStatus(start, end, alive, started_s, now_s, tuple(_blocked(start.jobs, states)), marks, queue)


def _is_alive(start: RunStart, folder: Path) -> bool:
    """Whether the run's process has a record in the folder and runs, or gives signs of life on another host."""
    return any(
        found.is_alive()
        for found in controllers_of(folder)
        if (found.controller.host, found.controller.pid) == (start.host, start.process)
    )


def _in_queue(mark: Mark | None, queue: Mapping[str, QueuedJob] | None) -> bool:
    return mark is not None and queue is not None and mark.number in queue


def _state(
    job: PlannedJob, mark: Mark | None, queue: Mapping[str, QueuedJob] | None, started_s: float, folder: Path
) -> State:
    if mark is not None:
        queued = queue.get(mark.number) if queue is not None and mark.number else None
        return "queued" if queued is not None and queued.waits else "running"
    if job.outputs and _newer(folder / job.outputs[-1], started_s):
        return "done"
    return "failed" if job.log and _newer(folder / job.log, started_s) else "waiting"


def _newer(path: Path, started_s: float) -> bool:
    try:
        return os.stat(path).st_mtime >= started_s  # noqa: PTH116 - for tens of thousands of files
    except OSError:
        return False


def _blocked(jobs: Sequence[PlannedJob], states: Sequence[State]) -> Iterator[State]:
    """Yield the states; jobs that need a failed one, also indirectly, are blocked."""
    stuck: set[int] = set()
    for index, (job, state) in enumerate(zip(jobs, states, strict=True)):
        if state == "waiting" and not stuck.isdisjoint(job.needs):
            stuck.add(index)
            yield "blocked"
        else:
            if state == "failed":
                stuck.add(index)
            yield state


def _marks(jobs: Sequence[PlannedJob], folder: Path) -> Iterator[tuple[int, Mark]]:
    """Yield the jobs that Snakemake marks as started, in ``.snakemake/incomplete``."""
    root = folder / ".snakemake" / "incomplete"
    marked = {name: path for path in root.rglob("*") if (name := _marked_output(path, root)) is not None}
    if not marked:
        return
    for index, job in enumerate(jobs):
        path = next((marked[output] for output in job.outputs if output in marked), None)
        if path is None:
            continue
        try:
            yield index, Mark(path.stat().st_mtime, json.loads(path.read_text()).get("external_jobid"))
        except (OSError, ValueError):
            yield index, Mark(0.0, None)


def _marked_output(path: Path, root: Path) -> str | None:
    """Return the output that a mark is of. Its name is base64; parts of long names are folders that begin with @."""
    if path.name.startswith("@") or path.name == "migration_underway":
        return None
    text = "".join(part.removeprefix("@") for part in path.relative_to(root).parts)
    try:
        return base64.urlsafe_b64decode(text).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def last_line(path: Path) -> str:
    """Return the last message of a log, without records of attempts; an empty text if there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.replace("\r", "\n").splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith((STARTED, ENDED, FOUND))]
    return lines[-1] if lines else ""
