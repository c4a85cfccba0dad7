"""Bring a folder back to a state from which a plain run continues, after Snakemake or its jobs were killed.

In this order: cancel jobs that still run, wait for their end, unlock the folder, remove incomplete files. Nothing is
done while Snakemake runs in the folder. Finished outputs are kept.
"""

import datetime
import math
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from snakemake.persistence.file import FilePersistence

from clairemap.errors import RecoverError
from clairemap.operations import leftovers, orphans, ownership
from clairemap.operations.controllers import SILENCE_S, Found, Places, controllers_of, places_of
from clairemap.operations.output_lists import kept_outputs, unrecorded_outputs
from clairemap.operations.queue import QueuedJob

WAIT_S = 300.0
"""Longest wait for cancelled SLURM jobs, seconds."""

STOP_S = 30.0
"""Time for a local process to end after SIGTERM, seconds."""

NOT_STAGES = frozenset(
    {"recover", "list_dataset", "list_stac", "write_config", "plan_run", "show_status", "accept_stage"}
)
"""Scripts that are not stages: a user may run them while no Snakemake runs."""

Unrecorded = Literal["ask", "rerun", "keep"]


@dataclass(frozen=True)
class Situation:
    """What `recover` found in a folder."""

    folder: Path
    killed: list[Found]
    cluster: list[QueuedJob]
    unsure: list[QueuedJob]
    local: list[orphans.LocalProcess]
    locks: list[Path]
    unrecorded: list[str]
    places: list[Places]
    others_since: float = math.inf


def survey(folder: Path) -> Situation:
    """Return what has to be cleaned up in a folder.

    Raises:
        RecoverError: it is no folder, Snakemake is running there, or SLURM's commands are missing or do not answer.
    """
    if not folder.is_dir():
        raise RecoverError(f"{folder}: no such folder; set FOLDER to the one in which Snakemake runs")
    found = controllers_of(folder)
    if running := [each for each in found if each.is_alive()]:
        raise RecoverError(_running_message(running[0]))
    ids = orphans.run_ids(folder)
    jobs = _queue(needed=bool(found and orphans.run_ids(folder, min(each.controller.started for each in found))))
    own, unsure = orphans.orphans_among(jobs, ids, folder)
    others = [job for job in orphans.of_clairemap(jobs, ids) if job not in own]
    return Situation(
        folder=folder,
        killed=found,
        cluster=own,
        unsure=unsure,
        local=orphans.local_orphans(folder, NOT_STAGES),
        locks=sorted((folder / ".snakemake" / "locks").glob("*.lock")),
        unrecorded=_unrecorded(folder),
        places=places_of(folder),
        others_since=min([_start_time(job) for job in others], default=math.inf),
    )


def _queue(*, needed: bool) -> list[QueuedJob]:
    """Return the jobs in SLURM's queue; none if SLURM does not answer and no killed run used it."""
    try:
        return orphans.queue()
    except RecoverError:
        if needed:
            raise
        return []


def _unrecorded(folder: Path) -> list[str]:
    """Return the outputs that the last planning found without a record and that still have none."""
    names = [name for name in unrecorded_outputs(folder).read() if (folder / name).exists()]
    if not names:
        return []
    records = FilePersistence(path=folder / ".snakemake")
    return [name for name in names if records._read_record(name) is None]


def _running_message(found: Found) -> str:
    return (
        f"Snakemake is running in this folder ({found.controller.described}, last sign of life "
        f"{found.silent_s():.0f} s ago); stop it with Ctrl-C. If it was killed on another host, wait "
        f"{SILENCE_S / 60:.0f} minutes"
    )


def _start_time(job: QueuedJob) -> float:
    """Return when a job started, seconds since 1970; now if it waits."""
    try:
        return datetime.datetime.fromisoformat(job.started).timestamp()
    except ValueError:
        return time.time()


def recover(folder: Path, *, unrecorded: Unrecorded = "ask", dry_run: bool = False) -> Iterator[str]:
    """Clean up a folder after a kill; yield a line about each thing done, or to be done if `dry_run`.

    Args:
        folder: folder in which Snakemake runs.
        unrecorded: outputs that exist without a record: report them, delete them, or accept them as current.
        dry_run: only say what would be done.

    Raises:
        RecoverError: Snakemake is running there, SLURM does not answer, or a job does not end.
    """
    found = survey(folder)
    would = "would " if dry_run else ""
    for each in found.killed:
        yield f"killed: Snakemake, {each.controller.described}"
    yield from _jobs(found, would)
    if not dry_run:
        _end_jobs(found)
    if found.locks:
        yield f"{would}unlock {folder}"
    if not dry_run:
        shutil.rmtree(folder / ".snakemake" / "locks", ignore_errors=True)
    yield from _sweep(found, would)
    yield from _decide(found, unrecorded, would)
    if not dry_run:
        for each in found.killed:
            each.path.unlink(missing_ok=True)


def _jobs(found: Situation, would: str) -> Iterator[str]:
    for job in found.cluster:
        yield f"{would}cancel SLURM job {job.described}"
    for process in found.local:
        yield f"{would}stop process {process.pid} ({process.script})"
    if found.unsure:
        numbers = " ".join(job.number for job in found.unsure)
        yield f"not cancelled, since no log in this folder names them: if they are yours, run scancel {numbers}"


def _end_jobs(found: Situation) -> None:
    if left := orphans.cancel(found.cluster, WAIT_S):
        raise RecoverError(
            f"SLURM jobs {' '.join(left)} have not ended {WAIT_S:.0f} s after scancel; the folder stays locked. "
            "Run this again, or ask the cluster's staff"
        )
    if remaining := orphans.stop(found.local, STOP_S):
        raise RecoverError(f"processes {[each.pid for each in remaining]} do not end; the folder stays locked")


def _sweep(found: Situation, would: str) -> Iterator[str]:
    """Remove temporary files; in results, which other folders may share, only those older than their running jobs."""
    work = [found.folder / place.work_dir for place in found.places]
    results = [found.folder / folder for place in found.places for folder in place.results]
    in_work, in_results = (
        leftovers.find_leftovers(folders, before)
        for folders, before in ((work, math.inf), (results, found.others_since))
    )
    parts = leftovers.Leftovers(
        in_work.removable + in_results.removable, in_work.resumable + in_results.resumable, in_results.recent
    )
    for path in parts.removable:
        yield f"{would}remove {path}"
        if not would:
            leftovers.remove(path)
    for path in parts.resumable:
        yield f"keep {path}: mapping resumes from it"
    for path in parts.recent:
        yield f"keep {path}: newer than a running job of another folder; run this again when that has ended"


def _decide(found: Situation, unrecorded: Unrecorded, would: str) -> Iterator[str]:
    """Delete outputs without a record, or note that the user accepts them."""
    if not found.unrecorded:
        return
    if unrecorded == "ask":
        yield f"{len(found.unrecorded)} outputs without a record: choose UNRECORDED=rerun or UNRECORDED=keep"
        return
    for name in found.unrecorded:
        yield f"{would}delete {name}" if unrecorded == "rerun" else f"{would}accept {name}"
    if would:
        return
    if unrecorded == "rerun":
        for name in found.unrecorded:
            leftovers.remove(found.folder / name)
    else:
        kept_outputs(found.folder).write(found.unrecorded)
    unrecorded_outputs(found.folder).remove()


def take_over(place: Path, folder: Path, *, dry_run: bool = False) -> str:
    """Make a folder the owner of a work folder or of a region's results; return a line about it.

    Raises:
        RecoverError: no run owns it.
        SettingsError: Snakemake is running in the owner's folder.
    """
    owner = ownership.owner_of(place)
    if owner is None:
        raise RecoverError(
            f"{place}: no run owns this folder; set TAKE_OVER to a work_dir or to the results of one region, as in the "
            "message of the run that was refused"
        )
    if not dry_run:
        ownership.take_over(place, folder)
    return f"{'would take' if dry_run else 'took'} {place} over from {owner}"
