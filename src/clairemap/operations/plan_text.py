"""The text of `make plan`: what would run, why, and what it costs."""

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from clairemap.operations.costs import Costs, Source
from clairemap.operations.durations import duration, hours
from clairemap.operations.planned import OF_CODE, RECORDING, Kind, Machine, PlannedJob, Reason
from clairemap.operations.schedule import wall_seconds
from clairemap.operations.stage_costs import StageCosts, costs_by_stage
from clairemap.operations.text_table import text_table
from clairemap.text import shortened

LINE_LENGTH = 100
MOST_STAGES = 3
"""Number of stages that the basis of the estimates lists by name."""
MOST_FILES = 3
"""Maximum number of files and jobs that a reason lists."""
TITLES: Mapping[Kind, str] = {
    "setting": "setting changed",
    "option": "changed",
    "code": "code changed",
    "command": "code changed",
    "environment": "software changed",
    "inputs": "input changed",
    "newer": "input changed",
    "missing": "missing",
    "incomplete": "incomplete",
    "forced": "forced",
    "after": "runs after",
}
SOURCES: Mapping[Source, str] = {
    "recorded": "from benchmarks of earlier jobs here, scaled by scene size",
    "demo": "not run here yet: scaled from the demo on 2 CPU cores, so only an order of magnitude",
    "gpu": "not run here yet: scaled from one H200 GPU, so only an order of magnitude",
    "unknown": "unknown: not run here yet, and not measured for these settings",
}


def plan_text(jobs: Sequence[PlannedJob], done: int, unrecorded: int, costs: Costs, machine: Machine) -> str:
    """Return the plan as text.

    Args:
        jobs: jobs that would run.
        done: number of jobs whose results are up to date.
        unrecorded: number of those without a record of the settings and code that made them.
        costs: estimates.
        machine: where the jobs run.
    """
    if not jobs:
        lines = [f"Nothing to run: the results of all {done} jobs are up to date."]
    else:
        stages = costs_by_stage(jobs, costs)
        lines = [
            f"{len(jobs)} of {len(jobs) + done} jobs would run."
            + (f" The results of the other {done} are up to date." if done else ""),
            "",
            *_costs_table(stages, machine),
            "",
            _waiting(jobs, stages, costs, machine),
            "",
            "Why",
            *_reasons(stages),
            "",
            "Basis of the estimates",
            *_basis(stages),
            *_hint(jobs),
        ]
    if unrecorded:
        lines += [
            "",
            f"{unrecorded} finished job(s) have no record of the settings and code that made them, because the run "
            "was killed.",
            "Later changes of settings and code are not noticed for them. To run them again, delete their results.",
        ]
    return "\n".join(lines)


def _costs_table(stages: Sequence[StageCosts], machine: Machine) -> list[str]:
    rows = [
        (
            stage.rule,
            str(len(stage.jobs)),
            *(("unknown", "unknown") if stage.unknown else (hours(stage.core_s(machine)), hours(stage.gpu_s))),
        )
        for stage in stages
    ]
    total = (
        "total" + (" without unknown" if any(stage.unknown for stage in stages) else ""),
        str(sum(len(stage.jobs) for stage in stages)),
        hours(sum(stage.core_s(machine) for stage in stages if not stage.unknown)),
        hours(sum(stage.gpu_s for stage in stages if not stage.unknown)),
    )
    return text_table(("stage", "jobs", "core-hours", "GPU-hours"), [*rows, total])


def _waiting(jobs: Sequence[PlannedJob], stages: Sequence[StageCosts], costs: Costs, machine: Machine) -> str:
    wall_s = wall_seconds(jobs, [costs.seconds(job) or 0.0 for job in jobs], machine)
    about = "more than " if any(stage.unknown for stage in stages) else "about "
    if machine.is_local:
        gpus = "" if not any(job.gpus for job in jobs) else f" and {machine.gpus or 1} GPU(s)"
        return f"Run time: {about}{duration(wall_s)} with {machine.cores} core(s){gpus}."
    return f"Run time: {about}{duration(wall_s)} with {machine.jobs} jobs at a time, plus the time in the queue."


def _reasons(stages: Sequence[StageCosts]) -> Iterator[str]:
    """Yield the reasons of the stages; stages with the same reasons are listed together."""
    together: dict[tuple[str, ...], list[str]] = {}
    for stage in stages:
        together.setdefault(tuple(_why(stage)), []).append(stage.rule)
    for reasons, rules in together.items():
        yield from textwrap.wrap(", ".join(rules), LINE_LENGTH, initial_indent="  ", subsequent_indent="  ")
        yield from reasons


def _why(stage: StageCosts) -> Iterator[str]:
    counts: Counter[tuple[Kind, str]] = Counter()
    files: dict[tuple[Kind, str], list[str]] = {}
    for job in stage.jobs:
        for reason in _told(job):
            key = reason.kind, reason.text
            counts[key] += 1
            files.setdefault(key, []).extend(reason.files)
    for (kind, text), count in counts.items():
        share = "" if count == len(stage.jobs) else f" ({count} of {len(stage.jobs)} jobs)"
        listed = list(dict.fromkeys(files[kind, text]))
        yield f"    {TITLES[kind]}: {text}{share}{': ' if listed else ''}{shortened(listed, MOST_FILES)}"


def _told(job: PlannedJob) -> tuple[Reason, ...]:
    """Return the reasons to print: those of the job itself, or else that another job runs before it."""
    own = tuple(reason for reason in job.reasons if reason.kind != "after")
    return own or job.reasons


def _basis(stages: Sequence[StageCosts]) -> Iterator[str]:
    rules = {source: [stage.rule for stage in stages if source in stage.sources] for source in SOURCES}
    used = sorted((source for source in SOURCES if rules[source]), key=lambda source: len(rules[source]))
    for source in used:
        names = ", ".join(rules[source])
        if len(rules[source]) > MOST_STAGES:
            names = "all stages" if len(used) == 1 else "the other stages" if source == used[-1] else names
        yield f"  {names}: {SOURCES[source]}"


def _acceptable(jobs: Sequence[PlannedJob]) -> list[str]:
    """Return the stages with results that would not be made again if changes of the code were accepted."""
    spared: list[bool] = []
    found: dict[str, None] = {}
    for job in jobs:
        is_spared = (
            job.own_kinds <= OF_CODE and job.rule not in RECORDING and all(spared[before] for before in job.needs)
        )
        spared.append(is_spared)
        if is_spared and job.own_kinds:
            found[job.rule] = None
    return list(found)


def _hint(jobs: Sequence[PlannedJob]) -> Iterator[str]:
    """Yield how to keep results that only a change of the code would remake."""
    only_code = _acceptable(jobs)
    if only_code:
        names = " ".join(only_code)
        yield ""
        yield "For some results only the code changed. To keep them in spite of that (docs/operations.md):"
        yield f"  make accept STAGE={names}" if len(only_code) == 1 else f'  make accept STAGE="{names}"'
