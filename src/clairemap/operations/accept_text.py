"""The text of `make accept`: what it keeps and what that means."""

from collections import Counter
from collections.abc import Iterator, Sequence

from clairemap.artefacts.acceptance import acceptances_of
from clairemap.operations.accept import StageCandidates, current_version, made_by
from clairemap.operations.code_records import WITHOUT_RECORD, definitions_text
from clairemap.operations.costs import Costs
from clairemap.operations.dry_run import DryRun
from clairemap.operations.durations import hours
from clairemap.operations.snakemake_jobs import planned_jobs
from clairemap.operations.stage_costs import costs_by_stage
from clairemap.text import shortened

MOST_NAMES = 3
MEANING = """What this means
- These results are not made again. They remain as the former code made them; the present code might give others.
- The model card beside the maps, the STAC item and the report will name them. For that, the maps are merged and the
  report is written again; this takes minutes.
- Later changes of code, settings or input make the stage run again, as always."""


def accept_text(dry: DryRun, chosen: Sequence[StageCandidates], costs: Costs) -> str:
    """Return what will be accepted and what that means."""
    return "\n".join([*(line for stage in chosen for line in _stage_lines(dry, stage, costs)), MEANING])


def _stage_lines(dry: DryRun, stage: StageCandidates, costs: Costs) -> Iterator[str]:
    before = acceptances_of(dry.records.folder, stage.stage)
    names = [candidate.name for candidate in stage.accepted if candidate.name]
    makers = Counter(made_by(dry, candidate, before) for candidate in stage.accepted)
    changed = WITHOUT_RECORD if stage.changed is None else definitions_text(stage.changed)
    yield f"{stage.stage}: keep {len(stage.accepted)} result(s){': ' if names else ''}{shortened(names, MOST_NAMES)}"
    yield f"  made by:       {', '.join(f'clairemap {maker}' for maker in makers)}"
    yield f"  present code:  clairemap {current_version(dry, stage.stage)}"
    yield f"  code changed:  {changed or 'the command of the rule, or its environment'}"
    yield f"  saves:         {_saved(dry, stage, costs)}"
    for candidate in stage.refused[:MOST_NAMES]:
        yield f"  not kept:      {candidate.name}: {'; '.join(candidate.obstacles)}"
    if len(stage.refused) > MOST_NAMES:
        yield f"  not kept:      {len(stage.refused) - MOST_NAMES} more"
    yield ""


def _saved(dry: DryRun, stage: StageCandidates, costs: Costs) -> str:
    jobs = planned_jobs(dry.workflow.dag, [candidate.job for candidate in stage.accepted], {})
    (together,) = costs_by_stage(jobs, costs)
    if together.unknown:
        return "unknown"
    gpu_hours = f", {hours(together.gpu_s)} GPU-hours" if together.gpu_s else ""
    return f"about {hours(together.core_s(dry.machine))} core-hours{gpu_hours}"
