"""The lines at the end of a failed run: which jobs failed, why, and what to do."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from clairemap.attempts.policy import GROWTH, last_attempt
from clairemap.attempts.records import Attempt, Cause

_REMEDIES = {
    Cause.ERROR: "correct this and run the same command again",
    Cause.FAILED: "run the same command again; if it fails again, report the error in the log",
    Cause.TIME_BUDGET: "run the same command again: training resumes",
    Cause.OUT_OF_MEMORY: "run again with more memory: --set-resources {rule}:mem_mb={more_mb}",
    Cause.TIME_LIMIT: "run again with a longer time limit: --set-resources {rule}:runtime=MINUTES",
    Cause.NODE_FAILURE: "run the same command again",
    Cause.CANCELLED: "run the same command again",
    Cause.PREEMPTED: "run the same command again",
    Cause.TERMINATED: "run the same command again",
    Cause.KILLED: "run the same command again; if it is killed again, it may need more memory: --set-resources "
    "{rule}:mem_mb={more_mb}",
}


@dataclass(frozen=True)
class FailedJob:
    """A job that Snakemake gave up: its rule, its wildcards (such as the scene), its log (None: it has none)."""

    rule: str
    wildcards: tuple[str, ...]
    log: Path | None

    @property
    def title(self) -> str:
        """Rule and wildcards, such as ``predict_scene west fused``."""
        return " ".join([self.rule, *self.wildcards])


def summary(jobs: Iterable[FailedJob], run: str, slurm_logs: Path | None = None) -> list[str]:
    """Return one line for each failed job, sorted.

    Args:
        jobs: the failed jobs.
        run: identifies this run of Snakemake.
        slurm_logs: folder of the SLURM executor's logs, for jobs that never started.
    """
    return [_line(job, run, slurm_logs) for job in sorted(jobs, key=lambda job: job.title)]


def _line(job: FailedJob, run: str, slurm_logs: Path | None) -> str:
    attempt = last_attempt(job.log, run) if job.log else None
    if attempt is None:
        return f"{job.title}: did not start: {_slurm_message(job, slurm_logs)}"
    more_mb = GROWTH * (attempt.memory_mb or attempt.peak_mb) or "MB"
    remedy = _REMEDIES.get(attempt.cause or Cause.KILLED, "").format(rule=job.rule, more_mb=more_mb)
    return f"{job.title}: {reason(attempt)}. To do: {remedy}. Log: {job.log}"


def reason(attempt: Attempt) -> str:
    """Return why an attempt failed: its last message, or what ended it."""
    used = f"used {attempt.peak_mb} of {attempt.memory_mb} MB" if attempt.memory_mb else f"used {attempt.peak_mb} MB"
    match attempt.cause:
        case Cause.ERROR | Cause.TIME_BUDGET | Cause.FAILED:
            return attempt.message or f"exit code {attempt.exit_code}"
        case Cause.OUT_OF_MEMORY:
            return f"killed: out of memory, {used}" + (f" ({attempt.message})" if "SLURM" in attempt.message else "")
        case Cause.TERMINATED | Cause.KILLED | None:
            return f"{attempt.cause or Cause.KILLED} on {attempt.host}, cause unknown, {used}"
        case _:
            return f"{attempt.cause} ({attempt.message})"


def _slurm_message(job: FailedJob, slurm_logs: Path | None) -> str:
    """Return the last error in the job's newest log of SLURM; where to look if there is none."""
    folder = slurm_logs / f"rule_{job.rule}" / "_".join(job.wildcards).replace("/", "_") if slurm_logs else None
    logs = sorted(folder.glob("*.log"), key=lambda log: log.stat().st_mtime) if folder else []
    if not logs:
        return "the message of SLURM or Snakemake is above"
    lines = logs[-1].read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line.strip() for line in lines if "error" in line.lower() and "Look above for error" not in line]
    return f"{errors[-1] if errors else 'no message'}. Log: {logs[-1]}"
