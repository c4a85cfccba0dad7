"""A dry run of Snakemake inside this process: the jobs that would run and why.

The dry run takes no lock, so it also works while the workflow runs in another terminal.
"""

import contextlib
import io
import logging
import os
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import mock

import snakemake.api
import snakemake.cli

from clairemap import provenance
from clairemap.errors import OperationError
from clairemap.operations.changes import PLACES, Changes, changed_params
from clairemap.operations.code_records import (
    WITHOUT_RECORD,
    CodeRecords,
    changed_definitions,
    definitions_text,
)
from clairemap.operations.command_line import parsed
from clairemap.operations.planned import Machine, PlannedJob, Reason
from clairemap.operations.snakemake_jobs import planned_jobs, waiting_jobs
from clairemap.plan import Plan
from clairemap.text import shortened

log = logging.getLogger(__name__)

MOST_FILES = 3
"""Maximum number of files that a reason lists."""


@dataclass
class DryRun:
    """A planned run. `workflow` is Snakemake's object."""

    workflow: Any
    machine: Machine
    definitions: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def plan(self) -> Plan:
        """Settings and scenes of the run."""
        plan: Plan = self.workflow.globals["PLAN"]
        return plan

    @property
    def checkout(self) -> Path:
        """Folder of the Snakefile."""
        return Path(self.workflow.basedir)

    @property
    def scripts(self) -> Path:
        """Folder of the rules' scripts."""
        return self.checkout / "workflow" / "scripts"

    @cached_property
    def records(self) -> CodeRecords:
        """Records of the code of earlier runs."""
        return CodeRecords(Path(self.plan.settings.work_dir))

    @cached_property
    def waiting(self) -> list[Any]:
        """Snakemake's jobs that would run, those needed by others first, then by name, without `rule all`."""
        return waiting_jobs(self.workflow.dag)

    @property
    def finished(self) -> list[Any]:
        """Snakemake's jobs whose results are up to date."""
        dag = self.workflow.dag
        return [job for job in dag.jobs if not dag.needrun(job) and not job.rule.norun]

    @property
    def unrecorded(self) -> list[Any]:
        """Snakemake's finished jobs without a record of the settings and code that made their results."""
        return [job for job in self.finished if not self.workflow.persistence.has_metadata(job)]

    def jobs(self) -> list[PlannedJob]:
        """Return the jobs that would run, with their reasons."""
        return planned_jobs(self.workflow.dag, self.waiting, {job: tuple(self.reasons(job)) for job in self.waiting})

    def changes(self, job: Any) -> Changes:  # noqa: ANN401 - Snakemake has no types
        """Return the changes of a job's parameters since its last run; without a last run, none."""
        memory = self.workflow.persistence
        recorded = [values for path in job.output if (values := memory.params(path)) is not None]
        if not recorded:
            return Changes()
        compared = set(memory._params(job))
        new = {
            name: text
            for name, value in job.params.items()
            if isinstance(text := memory._serialize_param(value), str) and text in compared
        }
        rule = job.rule.name
        old = [text for values in recorded for text in values]
        return changed_params(old, new, lambda code: self.records.path(rule, code).exists())

    def reasons(self, job: Any) -> Iterator[Reason]:  # noqa: ANN401 - Snakemake has no types
        """Yield why a job would run. Reasons of its own come before jobs that run before it."""
        reason = self.workflow.dag.reason(job)
        memory = self.workflow.persistence
        if reason.forced:
            yield Reason("forced", "requested on the command line")
        missing = [str(path) for path in job.output if not os.path.lexists(path)]
        if len(missing) == len(job.output):
            yield Reason("missing", "no result yet")
            return
        yield from self._missing(job, missing)
        changed_set = tuple(self._input_set(job))
        listed = {path for found in changed_set for path in found.files}
        yield from self._updated(job, reason.updated_input - reason.updated_input_run, listed)
        changes = self.changes(job)
        yield from (found for found in changes.reasons if not (changed_set and found.text.startswith(PLACES["files"])))
        if changes.code_changed:
            yield Reason("code", self.code_text(job.rule.name, changes.old_code))
        if any(memory.code_changed(job)):
            yield Reason("command", f"the command in {_rule_file(job)}")
        if any(memory.software_stack_changed(job)):
            yield Reason("environment", f"the environment in {job.rule.conda_env or job.rule.container_img}")
        yield from changed_set
        earlier = [before.rule.name for before in self.needed(job)]
        if earlier:
            yield Reason("after", shortened(list(dict.fromkeys(earlier)), MOST_FILES))

    def needed(self, job: Any) -> list[Any]:  # noqa: ANN401
        """Return the jobs to run before whose new outputs make this job run."""
        dag = self.workflow.dag
        renewed = dag.reason(job).updated_input_run
        return [
            before
            for before, files in dag.dependencies[job].items()
            if dag.needrun(before) and (not renewed.isdisjoint(files) or not all(map(os.path.exists, files)))
        ]

    def _missing(self, job: Any, missing: list[str]) -> Iterator[Reason]:  # noqa: ANN401
        incomplete = self.workflow.dag.reason(job).incomplete_output
        if incomplete or (not missing and self.workflow.dag.reason(job).forced and self._was_interrupted(job)):
            yield Reason("incomplete", "interrupted while it ran", tuple(map(str, incomplete)))
        elif missing:
            yield Reason("missing", "an output is missing", tuple(missing))

    def _was_interrupted(self, job: Any) -> bool:  # noqa: ANN401
        return bool(self.workflow.async_run(self.workflow.persistence.incomplete(job)))

    def _updated(self, job: Any, files: Iterable[Any], listed: Container[str]) -> Iterator[Reason]:  # noqa: ANN401
        makers = {
            str(path): before.rule.name for before, made in self.workflow.dag.dependencies[job].items() for path in made
        }
        changed = sorted(str(path) for path in files if str(path) not in makers and str(path) not in listed)
        remade = sorted({makers[str(path)] for path in files if str(path) in makers})
        if changed:
            yield Reason("newer", "input files are newer than the result", tuple(changed))
        if remade:
            yield Reason("newer", f"results of {', '.join(remade)} are newer")

    def _input_set(self, job: Any) -> Iterator[Reason]:  # noqa: ANN401
        memory = self.workflow.persistence
        now = set(map(str, memory._input(job)))
        recorded = [old for path in job.output if (old := memory.input(path)) is not None]
        if not recorded or not any(memory.input_changed(job)):
            return
        before = {path for old in recorded for path in old}
        added, removed = sorted(now - before), sorted(before - now)
        for paths, text in ((added, "new in its input"), (removed, "no longer in its input")):
            if paths:
                yield Reason("inputs", text, tuple(paths))

    def code_text(self, rule: str, old: str | None) -> str:
        """Return which functions of a rule's code changed since a recorded hash."""
        changed = self.changed_code(rule, old)
        return WITHOUT_RECORD if changed is None else definitions_text(changed) or "only the order of definitions"

    def changed_code(self, rule: str, old: str | None) -> list[str] | None:
        """Return the definitions that changed since a recorded hash; None without a record."""
        record = self.records.read(rule, old) if old else None
        if record is None:
            return None
        if rule not in self.definitions:
            self.definitions[rule] = provenance.stage_definitions(self.scripts / f"{rule}.py")
        return changed_definitions(record.definitions, self.definitions[rule])


def _rule_file(job: Any) -> str:  # noqa: ANN401
    return f"workflow/rules/{Path(str(job.rule.snakefile)).name}"


def dry_run(words: Sequence[str]) -> DryRun:
    """Return what `snakemake WORDS` would run.

    Raises:
        OperationError: Snakemake cannot plan it. What Snakemake said is part of the message.
    """
    found: list[Any] = []

    class Watched(snakemake.api.SnakemakeApi):  # type: ignore[misc]
        """Keeps the workflow that Snakemake plans."""

        def workflow(self, *args: Any, **named: Any) -> Any:  # noqa: ANN401
            api = super().workflow(*args, **named)
            found.append(api)
            return api

    parser, args = parsed(words)
    machine = _machine(args)
    args.cores = machine.cores
    with _messages() as messages, mock.patch.object(snakemake.cli, "SnakemakeApi", Watched):
        done = snakemake.cli.args_to_api(args, parser)
    if not done or not found:
        text = "\n".join(dict.fromkeys(messages))
        raise OperationError(f"snakemake {' '.join(words)}: the run cannot be planned\n{text}".rstrip())
    for message in messages:
        log.warning(message)
    return DryRun(found[-1]._workflow, machine)


class _Warnings(logging.Handler):
    """Keeps Snakemake's warnings and errors."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message; of a traceback only its last line."""
        text = record.getMessage().strip()
        if "Traceback" in text:
            text = text.splitlines()[-1]
        if text:
            self.messages.append(text)


@contextlib.contextmanager
def _messages() -> Iterator[list[str]]:
    """Collect Snakemake's warnings and errors; show nothing of what it prints."""
    handler = _Warnings()
    logger = logging.getLogger("snakemake")
    logger.addHandler(handler)
    logger.propagate = False
    nothing = io.StringIO()
    try:
        with contextlib.redirect_stdout(nothing), contextlib.redirect_stderr(nothing):
            yield handler.messages
    finally:
        logger.removeHandler(handler)
        logger.propagate = True


def _machine(args: Any) -> Machine:  # noqa: ANN401
    executor = args.executor or "local"
    cores = args.cores or (args.jobs if executor in ("local", "dryrun") else None)
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    gpus = dict((args.resources or {}).items()).get("gpu")
    return Machine(
        executor="local" if executor == "dryrun" else executor,
        cores=int(cores) if isinstance(cores, int) else available,
        jobs=int(args.jobs) if isinstance(args.jobs, int) else available,
        gpus=None if gpus is None else int(str(getattr(gpus, "value", gpus))),
    )
