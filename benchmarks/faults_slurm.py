"""Faults on a SLURM cluster of three virtual nodes, for workflow_faults.py.

The cluster is that of the tests (``tests/cluster/toy_cluster.py``).
"""

import importlib.util
import re
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import yaml
from faults_local import KILLED, LAST_CHECKPOINT, RUN_KILLED, hold
from faults_made import PROJECT, Case, wait_until
from faults_table import Fault

TOY_CLUSTER = PROJECT / "tests" / "cluster" / "toy_cluster.py"


def cluster_or_reason() -> AbstractContextManager[Any] | str:
    """Return the cluster, to be started by a `with` block, or why this machine has none."""
    spec = importlib.util.spec_from_file_location("toy_cluster", TOY_CLUSTER)
    if not TOY_CLUSTER.exists() or spec is None or spec.loader is None:
        return f"{TOY_CLUSTER.relative_to(PROJECT)} does not exist"
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    reason: str | None = module.reason_against()
    cluster: AbstractContextManager[Any] = module.toy_cluster()
    return reason or cluster


def in_job(stage: str, act: str, rename: int = 1, *words: str) -> Callable[[Case], None]:
    """Return a fault in a job; Snakemake's retry or SLURM's requeue must bring the run to its end by itself."""

    def run(case: Case) -> None:
        case.inject(stage, act, rename)
        run = case.run(*words)
        assert (case.folder / "fired").exists(), f"{stage} does not run"
        assert run.code == 0, f"the run exits with {run.code}"

    return run


def walltime_with_budget(case: Case) -> None:
    """Training stops itself after `training_minutes`, saves its state, and is started again."""
    config = yaml.safe_load((case.folder / "config.yaml").read_text())
    config["compute"]["training_minutes"] = 1
    (case.folder / "config.yaml").write_text(yaml.safe_dump(config))
    case.inject("train_model", "sleep_minute", LAST_CHECKPOINT)
    run = case.run()
    assert run.code == 0, f"the run exits with {run.code}"


def node_down(*words: str) -> Callable[[Case], None]:
    """Return a fault: the node of a running job loses power; it comes back after the run."""

    def act(case: Case) -> None:
        process = hold(case, "mosaic_region", 1, *words)
        (node,) = {line.split()[0] for line in _running(case, "%N")}
        case.cluster.stop_node(node)
        case.release()
        try:
            run = case.ended(process)
        finally:
            case.cluster.start_node(node)
        assert run.code == 0, f"the run exits with {run.code}"

    return act


def _running(case: Case, form: str) -> list[str]:
    """Return a line for each running job of a case."""
    lines = case.cluster.run("squeue", "--noheader", "--states=running", f"--format={form}|%Z").splitlines()
    return [line.rpartition("|")[0] for line in lines if Path(line.rpartition("|")[2]).is_relative_to(case.folder)]


def controller_killed(case: Case) -> None:
    """SIGKILL of Snakemake while its job runs; then a rerun without `recover`, which must be refused."""
    process = hold(case, "mosaic_region")
    process.kill()
    process.wait()
    case.fault = {}
    assert case.run().code == 30


def everything_killed(case: Case) -> None:
    """SIGKILL of Snakemake and of its jobs."""
    process = hold(case, "mosaic_region")
    process.kill()
    process.wait()
    for job in _running(case, "%A"):
        case.cluster.run("scancel", "--signal=KILL", "--full", job)


def orphans_finish(case: Case) -> None:
    """Snakemake is killed, its job ends well, a setting changes: planning must notice; the setting is changed back."""
    process = hold(case, "predict_scene")
    process.kill()
    process.wait()
    case.fault = {}
    case.release()
    wait_until(lambda: not _running(case, "%A"), "the end of the orphans")
    assert (case.folder / case.targets[0]).exists()
    case.recover()
    config = case.folder / "config.yaml"
    text = config.read_text()
    config.write_text(text + "inference: {halo_px: 64}\n")
    assert _plans_mapping(case), "the change of a setting is not noticed"
    config.write_text(text)
    assert not _plans_mapping(case), "the orphan's output is not known as finished"


def _plans_mapping(case: Case) -> bool:
    return re.search(r"^predict_scene +\d+$", case.run("--dry-run").output, re.M) is not None


def orphan_beside_twin(case: Case) -> None:
    """The orphan of a killed Snakemake ends beside the same job of a run that was forced past the guards."""
    process = hold(case, "mosaic_region")
    process.kill()
    process.wait()
    for folder in (".snakemake/locks", ".snakemake/clairemap/controllers"):
        shutil.rmtree(case.folder / folder)
    case.fault = {}
    twin = case.start()
    time.sleep(5)
    case.release()
    assert case.ended(twin).code == 0


# SLURM requeues jobs by itself after `requeue` and, unless the cluster forbids it, after the failure of a node. Then
# the user has nothing to do, and only the log shows it.
SLURM: tuple[Fault, ...] = (
    Fault("slurm_kill_job", ("mosaic_region",), in_job("mosaic_region", "kill"), KILLED, slurm=True),
    Fault("slurm_scancel", ("mosaic_region",), in_job("mosaic_region", "scancel"), r"\bcancelled\b", slurm=True),
    Fault("slurm_requeue", ("mosaic_region",), in_job("mosaic_region", "requeue"), "requeued|^Done", slurm=True),
    Fault(
        "slurm_out_of_memory",
        ("mosaic_region",),
        in_job("mosaic_region", "allocate"),
        r"out of memory|\boom",
        slurm=True,
    ),
    Fault(
        "slurm_walltime",
        ("train_model",),
        in_job("train_model", "sleep", LAST_CHECKPOINT, "--set-resources", "train_model:runtime=1"),
        r"time limit|\btimeout\b",
        slurm=True,
    ),
    Fault(
        "slurm_walltime_with_budget",
        ("train_model",),
        walltime_with_budget,
        "reached its time limit|requeued|^Done",
        slurm=True,
    ),
    Fault("slurm_kill_controller", ("mosaic_region",), controller_killed, RUN_KILLED, slurm=True, recover=True),
    Fault("slurm_kill_everything", ("mosaic_region",), everything_killed, RUN_KILLED, slurm=True, recover=True),
    Fault("slurm_orphans_finish", ("predict_scene",), orphans_finish, RUN_KILLED, slurm=True, recover=True),
    Fault("slurm_orphan_beside_twin", ("mosaic_region",), orphan_beside_twin, "^Done", slurm=True),
    Fault("slurm_node_down", ("mosaic_region",), node_down(), "requeued|^Done", slurm=True, alone=True),
    Fault(
        "slurm_node_down_no_requeue",
        ("mosaic_region",),
        node_down("--default-resources", "slurm_partition=cpu", "slurm_extra='--no-requeue'"),
        "node fail|node_fail",
        slurm=True,
        alone=True,
    ),
)
