"""What SLURM knows about a job, and requeueing it."""

import re
from dataclasses import dataclass

from clairemap.attempts.records import Cause
from clairemap.slurm_command import run_slurm, slurm_output

_CAUSES = {
    "OUT_OF_MEMORY": Cause.OUT_OF_MEMORY,
    "TIMEOUT": Cause.TIME_LIMIT,
    "DEADLINE": Cause.TIME_LIMIT,
    "NODE_FAIL": Cause.NODE_FAILURE,
    "BOOT_FAIL": Cause.NODE_FAILURE,
    "CANCELLED": Cause.CANCELLED,
    "PREEMPTED": Cause.PREEMPTED,
}


@dataclass(frozen=True)
class SlurmJob:
    """State of a SLURM job, such as `OUT_OF_MEMORY`; its nodes; its largest step, MB (0: unknown)."""

    state: str
    nodes: str = ""
    peak_mb: int = 0

    @property
    def cause(self) -> Cause | None:
        """Why the job ended; None if the state does not say it."""
        return _CAUSES.get(self.state)


def find_job(job: str) -> SlurmJob | None:
    """Return what SLURM knows about a job: from the controller, or from accounting for an older job."""
    shown = slurm_output("scontrol", "show", "job", "--oneliner", job)
    accounted = slurm_output("sacct", "-j", job, "-n", "-P", "-o", "State,NodeList,MaxRSS")
    rows = [line.split("|") for line in accounted.splitlines() if line.count("|") == 2]
    peak_mb = max((size_mb(row[2]) for row in rows), default=0)
    if (state := _field(shown, "JobState")) is not None:
        return SlurmJob(state, _field(shown, "NodeList") or "", peak_mb)
    if rows:
        return SlurmJob(rows[0][0].split()[0], rows[0][1], peak_mb)
    return None


def _field(line: str, name: str) -> str | None:
    found = re.search(rf"(?:^|\s){name}=(\S+)", line)
    return found[1] if found else None


def size_mb(text: str) -> int:
    """Return a memory size of sacct, such as ``512K`` or ``1.5G``, in MB; 0 for anything else."""
    found = re.fullmatch(r"([\d.]+)([KMGT]?)", text.strip())
    if not found:
        return 0
    return int(float(found[1]) * {"": 1 / (1 << 20), "K": 1 / 1024, "M": 1, "G": 1024, "T": 1 << 20}[found[2]])


def requeue(job: str) -> str | None:
    """Requeue a running SLURM job; return None, or why it was refused. SLURM then ends the job."""
    done = run_slurm("scontrol", "requeue", job)
    return None if done.returncode == 0 else (done.stderr.strip() or f"scontrol exited with {done.returncode}")
