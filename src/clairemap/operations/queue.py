"""Jobs in SLURM's queue."""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ANSWER_S = 3
"""Seconds to wait for squeue."""
FIELDS = "%i|%T|%r|%Z"


@dataclass(frozen=True)
class QueuedJob:
    """State of a job, such as RUNNING or PENDING, and the reason why it waits."""

    state: str
    reason: str

    @property
    def waits(self) -> bool:
        """Whether the job has not started."""
        return self.state in ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT", "SUSPENDED")


def queued_jobs(folder: Path) -> Mapping[str, QueuedJob] | None:
    """Return the jobs that were submitted from a folder, by number; None if SLURM is absent or does not answer."""
    if shutil.which("squeue") is None:
        return None
    try:
        answer = subprocess.run(
            ["squeue", "--noheader", "--format", FIELDS],
            capture_output=True,
            text=True,
            timeout=ANSWER_S,
            check=True,
        )
    except (subprocess.SubprocessError, OSError):
        return None
    return parsed_queue(answer.stdout, folder)


def parsed_queue(text: str, folder: Path) -> dict[str, QueuedJob]:
    """Return the jobs of a folder in squeue's answer in the format `FIELDS`."""
    rows = [line.split("|", 3) for line in text.splitlines()]
    here = {str(folder), str(folder.resolve())}
    return {row[0].strip(): QueuedJob(row[1], row[2]) for row in rows if len(row) == 4 and row[3].strip() in here}
