"""Decisions after a failed attempt: its cause, whether to retry, how much memory the next attempt requests."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from clairemap.attempts import slurm
from clairemap.attempts.records import FOUND, NEAR_LIMIT, Attempt, Cause, append, read_attempts
from clairemap.disk import disk_full, free_mb

GROWTH = 2
"""An attempt after one that ran out of memory requests this many times as much."""

FULL_MB = 1.0
"""Free space below which a log without an end counts as one that could not be written, MB."""


def last_attempt(log: Path, run: str) -> Attempt | None:
    """Return the last attempt of a run of Snakemake with the best known cause; None if the stage has not started.

    Asks SLURM if the attempt itself does not know why it ended, and adds the answer to the log.
    """
    attempts = _of_run(log, run)
    if not attempts:
        return None
    last = attempts[-1]
    if last.cause is not None and last.cause.is_known:
        return last
    found = _found(log, last)
    append(log, FOUND, {"id": last.id, **found})
    return replace(last, **found)


def _found(log: Path, attempt: Attempt) -> dict[str, Any]:
    """Return cause, message and peak memory of an attempt that does not say why it ended."""
    job = slurm.find_job(attempt.slurm_job) if attempt.slurm_job else None
    if job is not None and job.cause is not None:
        message = f"SLURM job {attempt.slurm_job} on {job.nodes or attempt.host}: {job.state}"
        return {"cause": job.cause, "message": message, "peak_mb": max(job.peak_mb, attempt.peak_mb)}
    if attempt.cause is None and free_mb(log.parent) < FULL_MB:
        return {"cause": Cause.ERROR, "message": str(disk_full(log))}
    peak_mb = max(job.peak_mb if job else 0, attempt.peak_mb)
    if peak_mb > NEAR_LIMIT * attempt.memory_mb > 0 and attempt.cause is not Cause.TERMINATED:
        return {"cause": Cause.OUT_OF_MEMORY, "peak_mb": peak_mb}
    return {"cause": attempt.cause or Cause.KILLED, "peak_mb": peak_mb}


def is_permanent(attempt: Attempt | None) -> bool:
    """Whether a retry would fail in the same way."""
    return attempt is not None and attempt.cause is Cause.ERROR


def allowed_retries(retries: int, log: Path, run: str) -> int:
    """Return how often Snakemake may retry a failed job in all, of `retries` by its settings.

    0 if a retry would fail in the same way. A planned stop for which SLURM did not requeue the job does not count.
    """
    if is_permanent(last_attempt(log, run)) or not retries:
        return 0
    stops = [one for one in _of_run(log, run) if one.cause is Cause.TIME_BUDGET and not one.requeued]
    return retries + len(stops)


def grown_mb(memory_mb: int, attempts: Sequence[Attempt]) -> int:
    """Return the memory to request, MB, after these attempts: more only if one ran out of memory."""
    short = [GROWTH * attempt.memory_mb for attempt in attempts if attempt.cause is Cause.OUT_OF_MEMORY]
    return max([memory_mb, *short])


def next_memory_mb(memory_mb: int, log: Path, run: str, attempt: int) -> int:
    """Return the memory that an attempt (from 1) of a run requests, MB; `memory_mb` is that of the first attempt."""
    if attempt == 1:
        return memory_mb
    return grown_mb(memory_mb, _of_run(log, run))


def _of_run(log: Path, run: str) -> list[Attempt]:
    """Return the attempts of a run, and those on nodes to which SLURM does not pass environment variables."""
    return [attempt for attempt in read_attempts(log) if attempt.run in (run, "")]
