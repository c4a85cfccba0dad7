"""Checks at the start of a run on SLURM: requests that no node or partition of the cluster can fulfil.

SLURM accepts some of them and lets the job wait for ever. ``sbatch --test-only`` finds most; it does not compare the
time with the partition's limit.
"""

import logging
import os
import re
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Self

from clairemap.errors import SettingsError
from clairemap.slurm_command import run_slurm
from clairemap.time_budget import largest_budget

log = logging.getLogger(__name__)

PLUGIN = "snakemake_executor_plugin_slurm"
CHECK_SECONDS = 60
"""Time after which the remaining rules are not checked (a busy cluster answers slowly), seconds."""
TEMPORARY = re.compile(r"busy|drained|reserved|not available now|unable to contact|timed out|try again", re.IGNORECASE)
"""Refusals of sbatch that pass with time: a node is down, the controller is busy."""
AMOUNTS = ("_cores", "mem_mb", "runtime", "gpu")
"""Resources by which the largest requests of a rule are found."""


@dataclass(frozen=True)
class Request:
    """What the jobs of a rule request at most on each node; `options` are those of sbatch."""

    rule: str
    partition: str | None
    cpus: int
    minutes: int | None
    memory_mb: int | None
    gpus: int
    nodes: int
    options: tuple[str, ...]

    @property
    def text(self) -> str:
        """The request in words."""
        amounts = [(self.cpus, "CPU"), (self.gpus, "GPU")]
        parts = [f"{amount} {unit}{'s' * (amount > 1)}" for amount, unit in amounts if amount]
        parts += [f"{self.memory_mb} MB"] if self.memory_mb else []
        nodes = f" on each of {self.nodes} nodes" if self.nodes > 1 else ""
        return ", ".join(parts) + nodes + (f" for {self.minutes} minutes" if self.minutes else "")


@dataclass(frozen=True)
class Partition:
    """The largest amounts of a partition: time limit (None: unlimited), and CPUs, memory and GPUs of a node."""

    minutes: int | None
    cpus: int
    memory_mb: int
    gpus: int

    def merged(self, other: Self) -> "Partition":
        """Return the partition with the larger amounts of both."""
        return Partition(
            self.minutes, max(self.cpus, other.cpus), max(self.memory_mb, other.memory_mb), max(self.gpus, other.gpus)
        )


def check_requests(requests: Iterable[Request]) -> None:
    """Check that SLURM can start each request; takes some milliseconds per request.

    Raises:
        SettingsError: at least one cannot start; the message lists all of them, with the entry of the profile to
            change.
    """
    end = time.monotonic() + CHECK_SECONDS
    listed = run_slurm("sinfo", "--noheader", "--exact", "--format=%P|%l|%c|%m|%G")
    if listed.returncode != 0:
        log.warning("the requests of the jobs are not checked: sinfo failed: %s", listed.stderr.strip())
        return
    partitions = read_partitions(listed.stdout)
    faults = []
    for request in requests:
        if time.monotonic() > end:
            log.warning("SLURM answers slowly: rule %s and later ones are not checked", request.rule)
            break
        if fault := fault_of(request, partitions, _refusal(request.options)):
            faults.append(fault)
    if faults:
        raise SettingsError(
            "SLURM can never start these jobs. Change the profile (snakemake --profile), then run again:\n- "
            + "\n- ".join(faults)
        )


def fault_of(request: Request, partitions: Mapping[str, Partition], refusal: str | None) -> str | None:
    """Return why a request can never start, and what to change; None if it can, or if that is not known.

    Args:
        request: the request.
        partitions: the cluster's partitions; the key "" is the default one.
        refusal: what sbatch says against it, if it does.
    """
    changes = _least_changes(request, partitions)
    if not changes and refusal and TEMPORARY.search(refusal):
        log.warning("rule %s: sbatch says: %s (its jobs wait until that changes)", request.rule, refusal)
        return None
    if not changes and not refusal:
        return None
    where = f"partition {request.partition}" if request.partition else "the default partition"
    said = f" (sbatch: {refusal})" if refusal else ""
    advice = "; ".join(changes) or f"set-resources: {request.rule}:… (partition, account, QoS or constraint)"
    return f"rule {request.rule} requests {request.text} in {where}{said}. Change {advice}"


def _least_changes(request: Request, partitions: Mapping[str, Partition]) -> list[str]:
    """Return what to change so that the request fits a partition of its list; empty if it fits one.

    SLURM starts a job in any partition of a list such as ``a,b``, but refuses a list with an unknown name.
    """
    names = (request.partition or "").split(",")
    if not partitions or (names == [""] and "" not in partitions):
        return []
    if unknown := [name for name in names if name not in partitions]:
        return [f"set-resources: {request.rule}:slurm_partition (no such partition: {', '.join(unknown)}; see sinfo)"]
    return min((_changes(request, name, partitions[name]) for name in names), key=len)


def _changes(request: Request, name: str, partition: Partition) -> list[str]:
    """Return the entries of the profile that request more than a partition has."""
    rule, where = request.rule, f"partition {name}" if name else "the default partition"
    changes = []
    if request.minutes and partition.minutes is not None and request.minutes > partition.minutes:
        changes.append(_shorter(rule, where, partition.minutes))
    if request.cpus > partition.cpus:
        changes.append(f"set-threads: {rule}={partition.cpus} (largest node of {where}: {partition.cpus} CPUs)")
    if request.memory_mb and request.memory_mb > partition.memory_mb:
        changes.append(f"set-resources: {rule}:mem_mb (largest node of {where}: {partition.memory_mb} MB)")
    if request.gpus > partition.gpus:
        what = f"largest node of {where}: {partition.gpus} GPUs" if partition.gpus else f"{where} has no GPUs"
        changes.append(
            f"set-resources: {rule}:slurm_partition ({what}), or compute.device and compute in the config file"
        )
    return changes


def _shorter(rule: str, where: str, limit: int) -> str:
    """Return how to request no more than a time limit, minutes. Training can stop in time and resume."""
    budget = largest_budget(limit)
    if rule == "train_model" and budget > 0:
        return (
            f"compute.training_minutes in the config file to {budget} or less: training then stops in time and resumes "
            f"(limit of {where}: {limit} minutes)"
        )
    return f"set-resources: {rule}:runtime={limit} (limit of {where})"


def read_partitions(lines: str) -> dict[str, Partition]:
    """Return the partitions by name from lines of ``sinfo --format=%P|%l|%c|%m|%G``; "" is the default one."""
    found: dict[str, Partition] = {}
    for line in lines.splitlines():
        name, limit, cpus, memory_mb, gres = line.split("|")
        part = Partition(minutes_of(limit), _number(cpus), _number(memory_mb), gpus_of(gres))
        for key in [name.rstrip("*"), *([""] if name.endswith("*") else [])]:
            found[key] = found[key].merged(part) if key in found else part
    return found


def minutes_of(limit: str) -> int | None:
    """Return SLURM's notation of a time in minutes, "1-02:03:00" or "30:00"; None for "infinite".

    Seconds count as a minute if they are not 0.
    """
    if not limit[:1].isdigit():
        return None
    days, _, clock = limit.rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    hours, minutes, seconds = [0] * (3 - len(parts)) + parts
    return int(days or 0) * 1440 + hours * 60 + minutes + (seconds > 0)


def _number(text: str) -> int:
    found = re.match(r"\d+", text)
    return int(found[0]) if found else 0


def gpus_of(gres: str) -> int:
    """Return the number of GPUs in "gpu:a100:4(S:0-1),lustre:1"."""
    kinds = [part.split(":") for part in re.sub(r"\([^)]*\)", "", gres).split(",")]
    return sum(int(kind[-1]) if kind[-1].isdigit() else 1 for kind in kinds if kind[0] == "gpu")


def _refusal(options: Sequence[str]) -> str | None:
    """Return what ``sbatch --test-only`` says against a job, in one line; None if the job can start."""
    done = run_slurm("sbatch", "--test-only", *options, "--wrap", "true")
    if done.returncode == 0:
        return None
    lines = [re.sub(r"^(sbatch: )?(error: )?(allocation failure: )?", "", line) for line in done.stderr.splitlines()]
    return "; ".join(dict.fromkeys(line for line in lines if line)) or f"exit code {done.returncode}"


def largest_requests(jobs: Iterable[Any], executor_settings: object) -> list[Request]:
    """Return the largest requests of each rule, as Snakemake's SLURM executor will submit them.

    Args:
        jobs: Snakemake's jobs or groups of jobs.
        executor_settings: settings of the executor.

    Raises:
        SettingsError: the executor itself refuses a job's resources.
    """
    by_rule: dict[str, list[Any]] = {}
    for job in jobs:
        by_rule.setdefault(job.name if not job.is_group() else "+".join(sorted(job.rules)), []).append(job)
    found = {}
    for rule, of_rule in by_rule.items():
        for amount in AMOUNTS:
            order = [amount, *AMOUNTS]
            job = max(of_rule, key=lambda job: [_amount(job, name) for name in order])  # noqa: B023 - used at once
            request = _request(rule, job, executor_settings)
            found[request.options] = request
    return list(found.values())


def _amount(job: Any, name: str) -> int:  # noqa: ANN401 - a job of Snakemake
    value = job.resources.get(name)
    return value if isinstance(value, int) else 0


def _request(rule: str, job: Any, executor_settings: object) -> Request:  # noqa: ANN401 - a job of Snakemake
    """Return the request of a job. A job without `nodes` runs on one node: its command is a step on one node."""
    from snakemake_executor_plugin_slurm.submit_string import get_submit_command
    from snakemake_executor_plugin_slurm.utils import set_gres_string

    chosen = job.resources
    account, partition = chosen.get("slurm_account"), chosen.get("slurm_partition")
    where = {
        "run_uuid": "clairemap_check",
        "slurm_logfile": os.devnull,
        "comment_str": rule,
        "account": f"-A {account}" if account else "",
        "partition": f"-p {partition}" if partition else "",
        "workdir": None,
    }
    try:
        command = get_submit_command(job, where, settings=executor_settings) + set_gres_string(job)
    except Exception as error:  # of the executor: WorkflowError, TypeError
        raise SettingsError(f"rule {rule}: the SLURM executor refuses its resources: {error}") from None
    options = shlex.split(command)[1:]
    nodes = chosen.get("nodes") or 1
    if not any(option.startswith("--nodes") for option in options):
        options.append("--nodes=1")
    tasks = (
        (chosen.get("tasks_per_node") or chosen.get("tasks") or 1) if chosen.get("mpi") else chosen.get("tasks") or 1
    )
    return Request(
        rule=rule,
        partition=partition,
        cpus=(chosen.get("cpus_per_task") or job.threads) * tasks,
        minutes=chosen.get("runtime") or None,
        memory_mb=chosen.get("mem_mb") or None,
        gpus=_amount(job, "gpu") or gpus_of(chosen.get("gres") or ""),
        nodes=nodes,
        options=tuple(options),
    )


def check_jobs(workflow: Any) -> None:  # noqa: ANN401 - Snakemake's workflow
    """Check that SLURM can start the planned jobs. Without sbatch or with another executor nothing is checked.

    Raises:
        SettingsError: a job can never start.
    """
    dag = workflow.dag
    try:
        planned = {dag.get_job_group(job) or job for job in dag.needrun_jobs() if not job.is_local}
        requests = largest_requests(planned, workflow.executor_settings)
    except (AttributeError, ImportError) as error:
        log.warning("this version of Snakemake or of its SLURM executor is not known; requests not checked: %s", error)
        return
    with _ended_by_sigterm():
        check_requests(requests)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end this process: Snakemake's own handler only prevents further jobs."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    previous = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def keep_logs_in(folder: Path, warn: Callable[[str], None]) -> None:
    """Let the SLURM executor write SLURM's logs to this folder, unless the profile has `slurm-logdir`."""
    plugin = sys.modules.get(PLUGIN)
    if plugin is None:
        return
    chosen = getattr(plugin, "_select_logdir", None)
    if chosen is None:
        warn(f"{PLUGIN} has changed: SLURM's logs are in .snakemake/slurm_logs, not in {folder}")
        return

    def logdir(workflow: Any) -> Path:  # noqa: ANN401 - Snakemake's workflow
        return chosen(workflow) if workflow.executor_settings.logdir else folder.absolute()

    plugin._select_logdir = logdir  # type: ignore[attr-defined]
