"""Jobs that still run after their Snakemake was killed: SLURM jobs of this folder, and local processes."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clairemap.operations.controllers import start_ticks
from clairemap.operations.queue import QueuedJob, answer, read_queue

RUN_ID = re.compile(r"SLURM run ID: (\S+)")
STAGE_SCRIPT = re.compile(r"/workflow/scripts/(\w+)\.py")
PREFIX = "clairemap"
"""Prefix of the names of jobs in profiles/slurm (`slurm-jobname-prefix`)."""

ANSWER_S = 120.0
"""Time to wait for a command of SLURM, seconds."""
POLL_S = 1.0
LOG_HEAD = 20_000
"""Characters of a log of Snakemake that are searched for the name of its jobs."""


def queue() -> list[QueuedJob]:
    """Return this user's SLURM jobs that have not ended.

    Raises:
        RecoverError: SLURM's commands are missing or do not answer.
    """
    return read_queue("--me", timeout_s=ANSWER_S)


def run_ids(folder: Path, since: float = 0.0) -> set[str]:
    """Return the names of the SLURM jobs of runs in a folder, from Snakemake's logs that were written since a time."""
    found: set[str] = set()
    for log in (folder / ".snakemake" / "log").glob("*.log"):
        if log.stat().st_mtime < since:
            continue
        with log.open(encoding="utf-8", errors="replace") as file:
            found.update(RUN_ID.findall(file.read(LOG_HEAD)))
    return found


def orphans_among(jobs: Sequence[QueuedJob], ids: set[str], folder: Path) -> tuple[list[QueuedJob], list[QueuedJob]]:
    """Return the jobs of a folder's runs, and other jobs with the same prefix and work folder.

    The second list contains jobs of runs without a log in this folder: Snakemake was started here for another folder
    (``--directory``), or the logs were deleted.
    """
    own = [job for job in jobs if job.name in ids]
    similar = [job for job in of_clairemap(jobs, ids) if job not in own]
    return own, [job for job in similar if Path(job.work_folder).resolve() == folder.resolve()]


def of_clairemap(jobs: Sequence[QueuedJob], ids: set[str]) -> list[QueuedJob]:
    """Return the jobs of runs in any folder: their names begin with the profile's prefix, or that of `ids`."""
    prefixes = {name.rpartition("_")[0] for name in ids} | {PREFIX}
    return [job for job in jobs if job.name.rpartition("_")[0] in prefixes]


def cancel(jobs: Iterable[QueuedJob], wait_s: float, listed: Callable[[], list[QueuedJob]] = queue) -> list[str]:
    """Cancel SLURM jobs and wait until they have left the queue; return the numbers of those still there."""
    numbers = [job.number for job in jobs]
    if not numbers:
        return []
    answer("scancel", *numbers, timeout_s=ANSWER_S)
    deadline = time.monotonic() + wait_s
    while left := [job.number for job in listed() if job.number in numbers]:
        if time.monotonic() > deadline:
            return left
        time.sleep(POLL_S)
    return []


@dataclass(frozen=True)
class LocalProcess:
    """A process of a stage on this machine."""

    pid: int
    script: str


def local_orphans(folder: Path, not_stages: frozenset[str]) -> list[LocalProcess]:
    """Return this user's processes in a folder that run a script of the workflow, except the named scripts."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            inside = (entry / "cwd").readlink() == folder.resolve() and entry.stat().st_uid == os.getuid()
        except OSError:
            continue
        match = STAGE_SCRIPT.search(words)
        if match and inside and match[1] not in not_stages:
            found.append(LocalProcess(int(entry.name), match[1]))
    return found


def stop(processes: Iterable[LocalProcess], wait_s: float) -> list[LocalProcess]:
    """Terminate processes and wait for their end, then kill those that remain; return those that cannot be ended."""
    remaining = list(processes)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in remaining:
            _send(process.pid, number)
        deadline = time.monotonic() + wait_s
        while (remaining := [each for each in remaining if start_ticks(each.pid)]) and time.monotonic() < deadline:
            time.sleep(POLL_S / 10)
    return remaining


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
