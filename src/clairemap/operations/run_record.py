"""Record of a run for `make status`: ``work/run/start.json`` with its jobs, ``end.json`` when it has ended.

The time of ``start.json`` is the start in the clock of the file system, so that times of outputs can be compared with
it whatever the clocks of the nodes.
"""

import os
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from clairemap.artefacts.document import DocumentModel, parse_document
from clairemap.errors import ClairemapError, OperationError
from clairemap.operations.code_records import CodeRecords
from clairemap.operations.planned import Machine, PlannedJob
from clairemap.operations.snakemake_jobs import planned_jobs, waiting_jobs
from clairemap.provenance import write_text_whole


class RunStart(DocumentModel):
    """A run: its process, machine and jobs; `done_before` counts the jobs by stage whose results were up to date."""

    process: int
    host: str
    seconds: float
    machine: Machine
    done_before: dict[str, int]
    jobs: tuple[PlannedJob, ...]


class RunEnd(DocumentModel):
    """How a run ended."""

    failed: bool


def start_file(work: Path) -> Path:
    """Return the record of the last run's start."""
    return work / "run" / "start.json"


def end_file(work: Path) -> Path:
    """Return the record of the last run's end."""
    return work / "run" / "end.json"


def record_start(workflow: Any, work: Path, code: Callable[[str], str]) -> None:  # noqa: ANN401 - Snakemake's object
    """Write the record of a run that starts, and the records of its code.

    Args:
        workflow: Snakemake's workflow with its planned jobs.
        work: work folder.
        code: returns the hash of a rule's code.
    """
    dag = workflow.dag
    needed = set(dag.needrun_jobs())
    done = Counter(job.rule.name for job in dag.jobs if job not in needed and not job.rule.norun)
    start = RunStart(
        process=os.getpid(),
        host=socket.gethostname(),
        seconds=time.time(),
        machine=_machine(workflow),
        done_before=dict(done),
        jobs=tuple(planned_jobs(dag, waiting_jobs(dag), {})),
    )
    end_file(work).unlink(missing_ok=True)
    write_text_whole(start_file(work), _START.dump_json(start, exclude={"jobs": {"__all__": {"reasons"}}}).decode())
    scripts = Path(workflow.basedir) / "workflow" / "scripts"
    for rule in {job.rule.name for job in dag.jobs if not job.rule.norun}:
        CodeRecords(work).add(rule, code(rule), scripts / f"{rule}.py")


def _machine(workflow: Any) -> Machine:  # noqa: ANN401
    given = workflow.resource_settings
    gpus = workflow.global_resources.get("gpu")
    local = bool(workflow.local_exec)
    return Machine(
        executor="local" if local else "cluster",
        cores=given.cores if isinstance(given.cores, int) else os.cpu_count() or 1,
        jobs=given.nodes if isinstance(given.nodes, int) else 1,
        gpus=gpus if isinstance(gpus, int) else None,
    )


def record_end(work: Path, *, failed: bool) -> None:
    """Write the record of a run that ends; without space for it, the run's last lines still say what failed."""
    with suppress(ClairemapError, OSError):
        write_text_whole(end_file(work), RunEnd(failed=failed).model_dump_json() + "\n")


def read_start(work: Path) -> RunStart:
    """Return the record of the last run's start.

    Raises:
        OperationError: no run was started, or the record is damaged.
    """
    path = start_file(work)
    try:
        return _START.validate_json(path.read_bytes())
    except FileNotFoundError:
        raise OperationError(
            f"{path}: no such file: no run was started with this work_dir; make plan prints what would run. If your "
            'settings have another work_dir, name them: make status ARGS="--configfile my.yaml"'
        ) from None
    except (OSError, ValidationError) as error:
        raise OperationError(f"{path}: not a valid record of a run ({error}); it is written at the next run") from None


def read_end(work: Path) -> RunEnd | None:
    """Return the record of the last run's end; None if it goes on or was killed."""
    try:
        return parse_document(end_file(work), RunEnd)
    except ValueError:
        return None


_START = TypeAdapter(RunStart)
