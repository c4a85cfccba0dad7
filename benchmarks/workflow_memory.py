"""Memory that the jobs of a finished run requested, against what they used.

Used is the peak of the stage's processes and the memory of Snakemake in a cluster job. Both come from the records of
the attempts in the logs.
"""

from collections import defaultdict
from pathlib import Path

from clairemap.attempts.records import Attempt, Cause, read_attempts
from clairemap.requirements import SNAKEMAKE_MB


def finished_attempts(work: Path) -> dict[str, list[Attempt]]:
    """Return the last successful attempt of each job, by rule; `work` is the run's `work_dir`."""
    logs = work / "logs"
    found: dict[str, list[Attempt]] = defaultdict(list)
    for log in sorted(logs.rglob("*.log")):
        rule = log.relative_to(logs).parts[0].removesuffix(".log")
        if log.name.startswith(".") or log.name.endswith(".previous.log") or rule == "slurm":
            continue
        done = [one for one in read_attempts(log) if one.cause is Cause.DONE and one.memory_mb and one.peak_mb]
        found[rule] += done[-1:]
    return {rule: attempts for rule, attempts in found.items() if attempts}


def asked_over_used(work: Path) -> dict[str, float]:
    """Return requested memory divided by used memory, by rule: that of the job that wasted most.

    A value below 1 means that a job used more than it requested: if a rule has such a job, its smallest value counts.
    """
    ratios = {
        rule: [one.memory_mb / (one.peak_mb + SNAKEMAKE_MB) for one in attempts]
        for rule, attempts in finished_attempts(work).items()
    }
    return {rule: round(min(of_rule) if min(of_rule) < 1 else max(of_rule), 2) for rule, of_rule in ratios.items()}
