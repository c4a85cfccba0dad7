"""Retries of Snakemake only for failures that a retry can solve; planned stops of training use none.

Snakemake has no hook for this: it compares the property `restart_times` of a failed job with its attempts. So that
property is replaced by one that also reads the job's last attempt.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from clairemap.attempts.policy import allowed_retries, is_permanent, last_attempt
from clairemap.attempts.records import Cause
from clairemap.attempts.summary import FailedJob, reason


def without_permanent(jobs: Any, groups: Any, run: str, log: Callable[[str], None]) -> bool:  # noqa: ANN401 - classes
    """Let Snakemake retry only what a retry can solve, and log why; return whether this was possible.

    Args:
        jobs: Snakemake's class of jobs.
        groups: its class of groups of jobs.
        run: identifies this run of Snakemake.
        log: prints a line on the screen.
    """
    of_job = getattr(jobs, "restart_times", None)
    if not isinstance(of_job, property) or not isinstance(getattr(groups, "restart_times", None), property):
        log("This version of Snakemake has no Job.restart_times: errors that a retry does not solve are retried too.")
        return False

    def allowed(job: Any) -> int:  # noqa: ANN401 - a job of Snakemake
        retries: int = of_job.fget(job) if of_job.fget else 0
        return allowed_retries(retries, Path(str(job.log[0])), run) if job.log else retries

    def retries_of_job(job: Any) -> int:  # noqa: ANN401 - a job of Snakemake
        retries = allowed(job)
        _explain([job], retries, run, log)
        return retries

    def retries_of_group(group: Any) -> int:  # noqa: ANN401 - a group of jobs
        failed = [is_permanent(last_attempt(Path(str(job.log[0])), run)) for job in group.jobs if job.log]
        retries = 0 if any(failed) else max(allowed(job) for job in group.jobs)
        _explain(group.jobs, retries, run, log)
        return retries

    jobs.restart_times = property(retries_of_job)
    groups.restart_times = property(retries_of_group)
    return True


def _explain(jobs: Iterable[Any], retries: int, run: str, log: Callable[[str], None]) -> None:
    """Log a line for each failed job that is retried; the summary at the end has those that are not."""
    for job in jobs:
        path = Path(str(job.log[0])) if job.log and job.attempt <= retries else None
        attempt = last_attempt(path, run) if path else None
        if attempt is not None and attempt.cause is not Cause.DONE:
            title = FailedJob(job.rule.name, tuple(job.wildcards_dict.values()), path).title
            log(f"{title}: {reason(attempt)}. It is run again (retry {job.attempt} of {retries}). Log: {path}")
