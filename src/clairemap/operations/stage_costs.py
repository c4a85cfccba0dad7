"""What the jobs of a stage cost together."""

from collections.abc import Sequence
from dataclasses import dataclass

from clairemap.operations.costs import Costs, Source
from clairemap.operations.planned import Machine, PlannedJob


@dataclass(frozen=True)
class StageCosts:
    """The jobs of one rule that would run, with the estimated time of each in seconds (None: unknown)."""

    rule: str
    jobs: tuple[PlannedJob, ...]
    seconds: tuple[float | None, ...]
    sources: frozenset[Source]

    def core_s(self, machine: Machine) -> float:
        """Return the core seconds of all jobs; on this machine a job has at most all its cores."""
        limit = machine.cores if machine.is_local else None
        return sum(
            (s or 0.0) * (min(job.threads, limit) if limit else job.threads)
            for job, s in zip(self.jobs, self.seconds, strict=True)
        )

    @property
    def gpu_s(self) -> float:
        """GPU seconds of all jobs."""
        return sum((s or 0.0) * job.gpus for job, s in zip(self.jobs, self.seconds, strict=True))

    @property
    def unknown(self) -> bool:
        """Whether the time of a job is unknown."""
        return None in self.seconds


def costs_by_stage(jobs: Sequence[PlannedJob], costs: Costs) -> list[StageCosts]:
    """Return the jobs by rule, in their order."""
    by_rule: dict[str, list[PlannedJob]] = {}
    for job in jobs:
        by_rule.setdefault(job.rule, []).append(job)
    return [
        StageCosts(rule, tuple(found), tuple(map(costs.seconds, found)), frozenset(map(costs.source, found)))
        for rule, found in by_rule.items()
    ]
