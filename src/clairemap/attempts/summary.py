"""The lines at the end of a failed run: which jobs failed, why, and what to do."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clairemap.attempts.policy import GROWTH, last_attempt
from clairemap.attempts.records import Attempt, Cause

_REMEDIES = {
    Cause.ERROR: "correct this and run the same command again",
    Cause.FAILED: "run the same command again; if it fails again, report the error in the log",
    Cause.TIME_BUDGET: "run the same command again: training resumes",
    Cause.OUT_OF_MEMORY: "set more with --set-resources {rule}:mem_mb={more_mb}",
    Cause.TIME_LIMIT: "set more minutes with --set-resources {rule}:runtime=... and run again",
    Cause.NODE_FAILURE: "run the same command again",
    Cause.CANCELLED: "run the same command again",
    Cause.PREEMPTED: "run the same command again",
    Cause.TERMINATED: "run the same command again",
    Cause.KILLED: "run the same command again; if it is killed again, it may need more memory: --set-resources "
    "{rule}:mem_mb=...",
}


@dataclass(frozen=True)
class FailedJob:
    """A job that Snakemake gave up: its rule, its wildcards (such as the scene), its log (None: it has none)."""

    rule: str
    name: str
    log: Path | None


def summary(jobs: Iterable[FailedJob], run: str, slurm_logs: Path | None = None) -> list[str]:
    """Return one line for each failed job, sorted.

    Args:
        jobs: the failed jobs.
        run: identifies this run of Snakemake.
        slurm_logs: folder of the SLURM executor's logs, for jobs that never started.
    """
    return [_line(job, run, slurm_logs) for job in sorted(jobs, key=lambda job: (job.rule, job.name))]


def _line(job: FailedJob, run: str, slurm_logs: Path | None) -> str:
    title = f"{job.rule} {job.name}".strip()
    attempt = last_attempt(job.log, run) if job.log else None
    if attempt is None:
        log = _newest_log(job.rule, slurm_logs)
        where = f" Log: {log}" if log else ""
        return f"{title}: did not start; the message of SLURM or Snakemake is above.{where}"
    remedy = _REMEDIES.get(attempt.cause or Cause.KILLED, "").format(
        rule=job.rule, more_mb=GROWTH * attempt.memory_mb or "..."
    )
    return f"{title}: {reason(attempt)}. To do: {remedy}. Log: {job.log}"


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


def _newest_log(rule: str, slurm_logs: Path | None) -> Path | None:
    """Return the newest log of SLURM for a rule, if there is one."""
    logs: Sequence[Path] = list((slurm_logs / f"rule_{rule}").rglob("*.log")) if slurm_logs else []
    return max(logs, key=lambda log: log.stat().st_mtime, default=None)
