"""Keep finished results in spite of a change of the code.

Snakemake compares the hash of a stage's code with the one in its records of the last run. Accepting replaces the
recorded hash with the current one, for each finished job. So a later change of the code, of settings or of input
counts as always, and jobs that run again are recorded with the code that ran them. A hash kept in the workflow instead
would be recorded, wrongly, for each job that runs later.
"""

import datetime
import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clairemap import provenance
from clairemap.artefacts.acceptance import (
    Acceptance,
    AcceptedResult,
    StageAcceptances,
    acceptance_file,
    acceptances_of,
    write_acceptances,
)
from clairemap.artefacts.model_card import read_model_card
from clairemap.errors import ClairemapError, OperationError
from clairemap.operations.changes import Changes
from clairemap.operations.code_records import current_record
from clairemap.operations.dry_run import DryRun
from clairemap.operations.planned import OF_CODE, RECORDING, Reason
from clairemap.text import shortened

UNKNOWN = "an unknown version"


@dataclass(frozen=True)
class Candidate:
    """A job of Snakemake, its changes since its last run, and why it cannot be accepted (empty: it can)."""

    job: Any
    changes: Changes
    obstacles: tuple[str, ...]

    @property
    def scene(self) -> str | None:
        """The job's scene; None for jobs of all scenes."""
        scene: str | None = self.job.wildcards_dict.get("scene")
        return scene

    @property
    def name(self) -> str:
        """The job's wildcards, as in the names of its files."""
        return ".".join(map(str, self.job.wildcards_dict.values()))

    @property
    def file(self) -> Path:
        """A small output that is a file and stands for all."""
        files = [Path(path) for path in map(str, self.job.output) if Path(path).is_file()]
        return min(files, key=lambda path: (path.suffix != ".json", path.stat().st_size))


@dataclass(frozen=True)
class StageCandidates:
    """Jobs of one stage that would run because the code changed: those to accept, those that cannot be accepted."""

    stage: str
    accepted: tuple[Candidate, ...]
    refused: tuple[Candidate, ...]
    changed: tuple[str, ...] | None

    @property
    def obstacles(self) -> tuple[str, ...]:
        """Why jobs cannot be accepted, without repetition."""
        return tuple(dict.fromkeys(text for candidate in self.refused for text in candidate.obstacles))


def candidates(dry: DryRun, stages: Sequence[str]) -> list[StageCandidates]:
    """Return what can be accepted of each stage, in the order of the workflow.

    Raises:
        OperationError: a stage is unknown or cannot be accepted; nothing of a stage can be accepted.
    """
    _check_names(dry, stages)
    causes: dict[Any, str] = {}
    found: dict[str, list[Candidate]] = {stage: [] for stage in stages}
    for job in dry.waiting:
        stage = job.rule.name
        own = [reason for reason in dry.reasons(job) if reason.kind != "after"]
        obstacles = [_obstacle(reason) for reason in own if stage not in found or reason.kind not in OF_CODE]
        before = [causes[other] for other in dry.needed(job) if other in causes]
        if obstacles:
            causes[job] = f"{_label(job)} runs before it ({'; '.join(obstacles)})"
        elif before:
            causes[job] = before[0]
        if stage in found and (own or before):
            inherited = tuple(dict.fromkeys(before))[:1]
            found[stage].append(Candidate(job, dry.changes(job), (*obstacles, *inherited)))
    chosen = [_stage(dry, stage, jobs) for stage, jobs in found.items()]
    if texts := [_refusal(dry, stage) for stage in chosen if not stage.accepted]:
        raise OperationError("\n".join(texts))
    return chosen


def _check_names(dry: DryRun, stages: Sequence[str]) -> None:
    known = [rule.name for rule in dry.workflow.rules if not rule.norun]
    for stage in stages:
        if stage not in known:
            near = difflib.get_close_matches(stage, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
            raise OperationError(f"STAGE={stage}: unknown stage ({hint})")
        if stage in RECORDING:
            raise OperationError(
                f"STAGE={stage}: cannot be accepted, because it writes into maps or report which results were "
                "accepted; run it"
            )


def _label(job: Any) -> str:  # noqa: ANN401 - Snakemake has no types
    return " ".join((job.rule.name, *map(str, job.wildcards_dict.values())))


def _obstacle(reason: Reason) -> str:
    words = {"setting": "setting ", "option": "changed: ", "inputs": "input changed: ", "newer": "input changed: "}
    if reason.kind in OF_CODE:
        return f"code changed: {reason.text}; accept that stage too"
    files = f": {shortened(reason.files, 2)}" if reason.files else ""
    return f"{words.get(reason.kind, '')}{reason.text}{files}"


def _stage(dry: DryRun, stage: str, jobs: Sequence[Candidate]) -> StageCandidates:
    accepted = tuple(candidate for candidate in jobs if not candidate.obstacles)
    refused = tuple(candidate for candidate in jobs if candidate.obstacles)
    old = {candidate.changes.old_code for candidate in accepted if candidate.changes.old_code}
    lists = [dry.changed_code(stage, code) for code in sorted(old)]
    changed = None if None in lists else tuple(dict.fromkeys(name for names in lists for name in names or ()))
    return StageCandidates(stage, accepted, refused, changed)


def _refusal(dry: DryRun, stage: StageCandidates) -> str:
    if stage.refused:
        return f"{stage.stage} cannot be accepted: {'; '.join(stage.obstacles)}"
    if any(job.rule.name == stage.stage for job in dry.waiting):
        return f"{stage.stage}: nothing to accept; it runs only because stages before it run (see make plan)"
    return f"{stage.stage}: nothing to accept; its results are up to date"


def accept(dry: DryRun, chosen: Sequence[StageCandidates]) -> None:
    """Record the acceptance of the candidates, in ``work/accepted`` and in Snakemake's records of the jobs.

    Raises:
        OperationError: the workflow is running in this folder.
    """
    memory = dry.workflow.persistence
    if memory.locked:
        raise OperationError(
            "the workflow is running here, or was killed: wait until it ends, or run make recover, then repeat"
        )
    for stage in chosen:
        _write_acceptance(dry, stage)
        for candidate in stage.accepted:
            for output in candidate.job.output:
                _renew(memory, candidate.job, output, candidate.changes)


def _renew(memory: Any, job: Any, output: Any, changes: Changes) -> None:  # noqa: ANN401
    """Replace the code in Snakemake's record of an output with the current code."""
    record = memory.metadata(output)
    if record is None:
        return
    if changes.old_code and changes.new_code:
        old, new = repr(changes.old_code), repr(changes.new_code)
        record.params = sorted(new if text == old else text for text in record.params)
    record.code = memory._code(job.rule)
    record.software_stack_hash = memory._software_stack_hash(job)
    record.conda_env = memory._conda_env(job)
    memory._write_record(memory._get_key(output), record)


def _write_acceptance(dry: DryRun, stage: StageCandidates) -> None:
    before = acceptances_of(dry.records.folder, stage.stage)
    new = Acceptance(
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        accepted_under=current_version(dry, stage.stage),
        changed=stage.changed,
        results=tuple(
            AcceptedResult(
                scene=candidate.scene,
                made_by=made_by(dry, candidate, before),
                file=str(candidate.file),
                sha256=provenance.file_digest(candidate.file),
            )
            for candidate in stage.accepted
        ),
    )
    path = acceptance_file(dry.records.folder, stage.stage)
    write_acceptances(path, StageAcceptances(stage=stage.stage, acceptances=(*before.acceptances, new)))


def current_version(dry: DryRun, stage: str) -> str:
    """Return version and commit of the current code."""
    return current_record(stage, dry.scripts / f"{stage}.py").made_by


def made_by(dry: DryRun, candidate: Candidate, before: StageAcceptances) -> str:
    """Return version and commit of the code that made a result.

    They come from an earlier acceptance of the same result, the model's card, or the record of the code.
    """
    return next(_makers(dry, candidate, before), UNKNOWN)


def _makers(dry: DryRun, candidate: Candidate, before: StageAcceptances) -> Iterator[str]:
    digest = provenance.file_digest(candidate.file)
    for acceptance in before.acceptances:
        yield from (result.made_by for result in acceptance.results if result.sha256 == digest)
    if candidate.job.rule.name == "train_model":
        try:
            stamp = read_model_card(candidate.file).stamp
        except ClairemapError:
            stamp = {}
        if version := stamp.get(f"{provenance.STAMP_PREFIX}version"):
            yield f"{version} ({stamp.get(f'{provenance.STAMP_PREFIX}commit', 'unknown')})"
    rule, code = candidate.job.rule.name, candidate.changes.old_code
    if code and (record := dry.records.read(rule, code)):
        yield record.made_by
