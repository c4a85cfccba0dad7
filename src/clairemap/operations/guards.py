"""Guards against wrong results after a kill: extensions of Snakemake's records and lock, installed by the Snakefile.

Snakemake writes the parameters of a job to its records in the submitting process. If that process is killed, cluster
jobs finish without a record, and later changes of settings or code are not noticed. Here

- each job records its own parameters when it ends, before its outputs count as complete;
- planning fails if an output without a record exists;
- a run fails if an earlier run in the folder was killed and `recover` has not been run.

Snakemake has no hooks for this, so methods of its class `PersistenceBase` are replaced. If they do not exist, the run
fails: continuing without the guards could give wrong results.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import snakemake.persistence
from snakemake_interface_executor_plugins.settings import ExecMode

from clairemap.console import fail
from clairemap.errors import RecoverError, SettingsError
from clairemap.operations import ownership
from clairemap.operations.controllers import Places, controllers_of, registered
from clairemap.operations.output_lists import kept_outputs, unrecorded_outputs
from clairemap.paths import path_exists
from clairemap.text import shortened

NEEDED = ("finished", "has_metadata", "lock", "locked", "metadata", "_unmark_incomplete", "_clear_cache", "_get_key")
"""Methods of Snakemake's records that the guards replace or call."""

CHECKOUT = Path(__file__).resolve().parents[3]
SHOWN = 5
"""Outputs named in a message."""

KILLED = (
    "The last run in this folder ({process}) was killed. Run {recover}, then this command again. It cancels jobs that "
    "still run, unlocks the folder and removes incomplete files."
)
RUNNING = (
    "Snakemake is running in this folder ({process}) and makes the same files. Wait until it ends, or stop it with "
    "Ctrl-C, then run this command again."
)
LOCKED = (
    "This folder is locked by a Snakemake that left no record. If none is running here, it was killed: run {recover}, "
    "then this command again."
)
UNRECORDED = (
    "{count} outputs exist, but Snakemake has no record of the settings and code that made them, so changes would not "
    "be noticed: {outputs}. Choose: {rerun} deletes them, so that they are made again; {keep} accepts them as made "
    "with the current settings and code."
)


def recover_command(folder: Path, **options: str) -> str:
    """Return the command that recovers a folder: a target of make in a checkout, else the script."""
    script = CHECKOUT / "workflow" / "scripts" / "recover.py"
    if folder.resolve() == CHECKOUT:
        return " ".join(["`make recover", *(f"{name.upper()}={value}" for name, value in options.items())]) + "`"
    return " ".join([f"`python {script}", *(f"--{name} {value}" for name, value in options.items())]) + "`"


def install(workflow: Any, places: Places) -> None:  # noqa: ANN401 - Snakemake has no types
    """Install the guards in this process and check who owns the work folder.

    Args:
        workflow: Snakemake's workflow.
        places: folders that this run writes to.

    Raises:
        SettingsError: another folder owns the work folder.
        RecoverError: this version of Snakemake cannot be guarded.
    """
    if workflow.exec_mode == ExecMode.DEFAULT:
        ownership.check_owner(Path(places.work_dir), Path.cwd())
    records = snakemake.persistence.PersistenceBase
    if missing := [name for name in NEEDED if not hasattr(records, name)]:
        raise RecoverError(
            f"this version of Snakemake has no PersistenceBase.{', '.join(missing)}; install the one in constraints.txt"
        )
    records.finished = _recording_in_jobs(records.finished)
    records.has_metadata = _refusing_unrecorded(records.has_metadata, places)
    records.lock = _guarded_lock(records.lock, places)


class _AsController:
    """The graph of jobs as the submitting process sees it, so that Snakemake writes records in a job too."""

    def __init__(self, wrapped: Any, **replaced: Any) -> None:  # noqa: ANN401
        self._wrapped = wrapped
        self.__dict__.update(replaced)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._wrapped, name)


Finished = Callable[[Any, Any], Awaitable[None]]


def _recording_in_jobs(original: Finished) -> Finished:
    """Return `finished`, which also writes the record in the process of a job.

    The submitting process keeps a record that belongs to the output on disk: the job knows best what it ran with.
    """

    async def finished(self: Any, job: Any) -> None:  # noqa: ANN401
        if self.dag.workflow.exec_mode == ExecMode.DEFAULT:
            if await _recorded_by_job(self, job):
                for output in job.output:
                    self._unmark_incomplete(self._get_key(output))
            else:
                await original(self, job)
            return
        graph = self.dag
        self.dag = _AsController(graph, workflow=_AsController(graph.workflow, exec_mode=ExecMode.DEFAULT))
        try:
            await original(self, job)
        finally:
            self.dag = graph

    return finished


async def _recorded_by_job(records: Any, job: Any) -> bool:  # noqa: ANN401
    """Whether each output has a record of its present modification time, which a job on a node has written."""
    if records.dag.workflow.local_exec or records.dag.workflow.touch:
        return False
    records._clear_cache()
    for output in job.output:
        record = records.metadata(output)
        if record is None or not await output.exists():
            return False
        if record.endtime != (await output.mtime()).local_or_storage():
            return False
    return True


def _refusing_unrecorded(original: Callable[[Any, Any], bool], places: Places) -> Callable[[Any, Any], bool]:
    """Return `has_metadata`, which fails if an output exists without a record, or belongs to another work folder."""

    def has_metadata(self: Any, job: Any) -> bool:  # noqa: ANN401
        if original(self, job):
            return True
        workflow = self.dag.workflow
        if workflow.exec_mode == ExecMode.DEFAULT and not workflow.touch and _existing_unrecorded(self, job):
            found = [name for each in self.dag.jobs for name in _existing_unrecorded(self, each)]
            _check_owners(found, places)
            unrecorded_outputs(Path.cwd()).write(found)
            rerun, keep = (recover_command(Path.cwd(), unrecorded=choice) for choice in ("rerun", "keep"))
            fail(
                RecoverError(
                    UNRECORDED.format(count=len(found), outputs=shortened(found, SHOWN), rerun=rerun, keep=keep)
                )
            )
        return False

    return has_metadata


def _check_owners(outputs: Iterable[str], places: Places) -> None:
    """Fail if another work folder owns the results folder of one of the outputs."""
    try:
        ownership.check_results(places.results_of(outputs), Path(places.work_dir), Path.cwd())
    except SettingsError as error:
        fail(error)


def _existing_unrecorded(records: Any, job: Any) -> list[str]:  # noqa: ANN401
    """Return the outputs of a job that exist, have no record, and were not accepted by `recover`."""
    # First what is fastest: planning asks this for each job.
    existing = [output for output in job.output if path_exists(output)]
    names = [str(output) for output in existing if records.metadata(output) is None]
    if not names:
        return []
    kept = kept_outputs(Path.cwd()).read()
    return [name for name in names if name not in kept]


Lock = Callable[[Any], Any]


def _guarded_lock(original: Lock, places: Places) -> Lock:
    """Return `lock`, which says what to do if the folder is locked, and keeps a record of this process."""

    @contextmanager
    def lock(self: Any) -> Iterator[None]:  # noqa: ANN401
        folder = Path.cwd()
        found = controllers_of(folder)
        killed = [each.controller.described for each in found if not each.is_alive()]
        if killed:
            fail(RecoverError(KILLED.format(process=killed[0], recover=recover_command(folder))))
        if self.locked:
            process = found[0].controller.described if found else ""
            text = RUNNING.format(process=process) if found else LOCKED.format(recover=recover_command(folder))
            fail(RecoverError(text))
        with original(self):
            outputs = (str(output) for job in self.dag.needrun_jobs() for output in job.output)
            try:
                ownership.own(Path(places.work_dir), folder)
                ownership.own_results(places.results_of(outputs), Path(places.work_dir), folder)
            except SettingsError as error:
                fail(error)
            places.remember(folder)
            with registered(folder):
                _record_kept(self, folder)
                yield

    return lock


def _record_kept(records: Any, folder: Path) -> None:  # noqa: ANN401
    """Write records of the outputs that the user accepted with `recover`."""
    kept = kept_outputs(folder).read()
    if not kept:
        return
    waiting = set(records.dag.needrun_jobs())
    for job in records.dag.jobs:
        if job not in waiting and any(str(output) in kept for output in job.output):
            records.dag.workflow.async_run(records.finished(job))
    kept_outputs(folder).remove()
