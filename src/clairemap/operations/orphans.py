"""Jobs that still run after their Snakemake was killed: SLURM jobs of this folder, and local processes."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clairemap.errors import RecoverError

RUN_ID = re.compile(r"SLURM run ID: (\S+)")
QUEUE_FORMAT = "%i|%j|%T|%S|%Z|%k"
STAGE_SCRIPT = re.compile(r"/workflow/scripts/(\w+)\.py")
PREFIX = "clairemap"
"""Prefix of the names of jobs in profiles/slurm (`slurm-jobname-prefix`)."""

POLL_S = 1.0
LOG_HEAD = 20_000
"""Characters of a log of Snakemake that are searched for the name of its jobs."""


@dataclass(frozen=True)
class ClusterJob:
    """A SLURM job in the queue; `started` is ``N/A`` while it waits."""

    number: str
    name: str
    state: str
    started: str
    work_folder: str
    comment: str

    @property
    def described(self) -> str:
        """Number, rule and state, for messages."""
        return f"{self.number} ({self.comment.removeprefix('rule_').replace('_wildcards_', ' ')}, {self.state.lower()})"


def parse_queue(text: str) -> list[ClusterJob]:
    """Return the jobs in the output of ``squeue -h -o QUEUE_FORMAT``."""
    rows = [line.split("|", 5) for line in text.splitlines() if line.strip()]
    return [ClusterJob(*row) for row in rows if len(row) == 6]


def queue() -> list[ClusterJob]:
    """Return this user's SLURM jobs that have not ended.

    Raises:
        RecoverError: SLURM's commands are missing or do not answer.
    """
    if shutil.which("squeue") is None:
        raise RecoverError("this machine has no squeue; run this where jobs are submitted")
    call = ["squeue", "--noheader", "--me", "--format", QUEUE_FORMAT]
    return parse_queue(_answer(call))


def _answer(call: list[str]) -> str:
    answer = subprocess.run(call, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise RecoverError(
            f"SLURM does not answer {' '.join(call)!r}: {answer.stderr.strip()}; repeat this when it does"
        )
    return answer.stdout


def run_ids(folder: Path, since: float = 0.0) -> set[str]:
    """Return the names of the SLURM jobs of runs in a folder, from Snakemake's logs that were written since a time."""
    found: set[str] = set()
    for log in (folder / ".snakemake" / "log").glob("*.log"):
        if log.stat().st_mtime < since:
            continue
        with log.open(encoding="utf-8", errors="replace") as file:
            found.update(RUN_ID.findall(file.read(LOG_HEAD)))
    return found


def orphans_among(jobs: Sequence[ClusterJob], ids: set[str], folder: Path) -> tuple[list[ClusterJob], list[ClusterJob]]:
    """Return the jobs of a folder's runs, and other jobs with the same prefix and work folder.

    The second list contains jobs of runs without a log in this folder: Snakemake was started here for another folder
    (``--directory``), or the logs were deleted.
    """
    own = [job for job in jobs if job.name in ids]
    similar = [job for job in of_clairemap(jobs, ids) if job not in own]
    return own, [job for job in similar if Path(job.work_folder).resolve() == folder.resolve()]


def of_clairemap(jobs: Sequence[ClusterJob], ids: set[str]) -> list[ClusterJob]:
    """Return the jobs of runs in any folder: their names begin with the profile's prefix, or that of `ids`."""
    prefixes = {name.rpartition("_")[0] for name in ids} | {PREFIX}
    return [job for job in jobs if job.name.rpartition("_")[0] in prefixes]


def cancel(jobs: Iterable[ClusterJob], wait_s: float, listed: Callable[[], list[ClusterJob]] = queue) -> list[str]:
    """Cancel SLURM jobs and wait until they have left the queue; return the numbers of those still there."""
    numbers = [job.number for job in jobs]
    if not numbers:
        return []
    _answer(["scancel", *numbers])
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
        while (remaining := [each for each in remaining if _runs(each.pid)]) and time.monotonic() < deadline:
            time.sleep(POLL_S / 10)
    return remaining


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
