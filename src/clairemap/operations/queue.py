"""Jobs in SLURM's queue."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clairemap.errors import RecoverError
from clairemap.slurm_command import run_slurm

STATUS_ANSWER_S = 3.0
"""Time that the status waits for squeue, seconds."""
FORMAT = "%i|%j|%T|%r|%S|%Z|%k"


@dataclass(frozen=True)
class QueuedJob:
    """A job that has not ended: why it waits; its start, ``N/A`` or expected while it waits."""

    number: str
    name: str
    state: str
    reason: str
    started: str
    work_folder: str
    comment: str

    @property
    def waits(self) -> bool:
        """Whether the job has not started."""
        return self.state in ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT", "SUSPENDED")

    @property
    def described(self) -> str:
        """Number, rule and state, for messages."""
        return f"{self.number} ({self.comment.removeprefix('rule_').replace('_wildcards_', ' ')}, {self.state.lower()})"


def parse_queue(text: str) -> list[QueuedJob]:
    """Return the jobs in squeue's answer in the format `FORMAT`."""
    rows = [line.split("|", 6) for line in text.splitlines()]
    return [QueuedJob(*(cell.strip() for cell in row)) for row in rows if len(row) == 7]


def read_queue(*options: str, timeout_s: float) -> list[QueuedJob]:
    """Return the jobs in the queue that squeue lists with these options.

    Raises:
        RecoverError: there is no squeue, or it does not answer.
    """
    if shutil.which("squeue") is None:
        raise RecoverError("this machine has no squeue; run this where jobs are submitted")
    return parse_queue(answer("squeue", "--noheader", *options, "--format", FORMAT, timeout_s=timeout_s))


def answer(*command: str, timeout_s: float) -> str:
    """Return what a command of SLURM prints.

    Raises:
        RecoverError: it fails or does not end in time.
    """
    done = run_slurm(*command, timeout_s=timeout_s)
    if done.returncode != 0:
        raise RecoverError(
            f"SLURM does not answer {' '.join(command)!r}: {done.stderr.strip()}; repeat this when it does"
        )
    return done.stdout


def queued_jobs(folder: Path) -> Mapping[str, QueuedJob] | None:
    """Return the jobs that were submitted from a folder, by number; None if SLURM is absent or does not answer."""
    here = {str(folder), str(folder.resolve())}
    try:
        return {job.number: job for job in read_queue(timeout_s=STATUS_ANSWER_S) if job.work_folder in here}
    except RecoverError:
        return None
