"""Jobs of Snakemake as plain values."""

from collections.abc import Mapping, Sequence
from typing import Any

from clairemap.operations.planned import PlannedJob, Reason
from clairemap.slurm import gpus_of


def waiting_jobs(dag: Any) -> list[Any]:  # noqa: ANN401 - Snakemake has no types
    """Return Snakemake's jobs that would run, those needed by others first, then by name, without `rule all`."""
    needed = set(dag.needrun_jobs())
    ordered = (job for level in dag.toposorted() for job in sorted(level, key=_name))
    return [job for job in ordered if job in needed and not job.rule.norun]


def _name(job: Any) -> tuple[str, ...]:  # noqa: ANN401
    return job.rule.name, *map(str, job.wildcards_dict.values())


def planned_jobs(dag: Any, jobs: Sequence[Any], reasons: Mapping[Any, tuple[Reason, ...]]) -> list[PlannedJob]:  # noqa: ANN401
    """Return Snakemake's jobs, ordered so that needed ones come first, as plain values."""
    places = {job: index for index, job in enumerate(jobs)}
    return [
        PlannedJob(
            rule=job.rule.name,
            name=".".join(str(value) for value in job.wildcards_dict.values()),
            scene=job.wildcards_dict.get("scene"),
            region=job.wildcards_dict.get("region"),
            map=job.wildcards_dict.get("map"),
            threads=int(job.threads),
            gpus=_gpus(job.resources),
            outputs=tuple(sorted(map(str, job.output), key=lambda path: not path.endswith(".zarr"))),
            log=str(job.log[0]) if job.log else None,
            benchmark=str(job.benchmark) if job.benchmark else None,
            needs=tuple(sorted(places[before] for before in dag.dependencies[job] if before in places)),
            reasons=reasons.get(job, ()),
        )
        for job in jobs
    ]


def _gpus(resources: Any) -> int:  # noqa: ANN401
    gpus = int(resources.get("gpu", 0) or 0)
    return gpus or gpus_of(str(resources.get("gres", "") or "")) * int(resources.get("nodes", 1) or 1)
