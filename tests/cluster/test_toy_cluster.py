"""The cluster of these tests: nodes, counted GPUs, memory limits, and nothing left of it afterwards."""

import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytestmark = pytest.mark.cluster


def test_it_has_nodes_with_and_without_gpus(slurm_cluster: Any):
    lines = slurm_cluster.run("sinfo", "--noheader", "--Node", "--partition=cpu", "--format=%N %G").splitlines()
    assert lines == ["node1 gpu:4", "node2 gpu:4", "node3 (null)"]
    shown = slurm_cluster.run("srun", "--partition=gpu", "--gpus=2", "--ntasks=1", "printenv", "CUDA_VISIBLE_DEVICES")
    assert len(shown.split(",")) == 2


def test_a_step_on_two_nodes_has_a_task_on_each(slurm_cluster: Any):
    shown = slurm_cluster.run("srun", "--nodes=2", "--ntasks-per-node=1", "printenv", "SLURMD_NODENAME")
    assert len(set(shown.split())) == 2


def test_a_job_over_its_memory_is_ended(slurm_cluster: Any, tmp_path: Path):
    command = "python3 -c 'import time; kept = bytearray(400_000_000); time.sleep(30)'"
    with pytest.raises(Exception, match=r"(?i)memory|oom|killed"):
        slurm_cluster.run("srun", "--mem=100", f"--chdir={tmp_path}", "bash", "-c", command)


@pytest.mark.cluster(alone=True)
def test_a_node_that_loses_power_comes_back(slurm_cluster: Any):
    command = "sleep 60.0417"
    submit = ("sbatch", "--parsable", "--nodelist=node3", "--output=/dev/null", "--no-requeue", f"--wrap={command}")
    job = int(slurm_cluster.run(*submit).strip())
    slurm_cluster.wait_until(lambda: _runs(command), 30, "the job's process runs")
    slurm_cluster.stop_node("node3")
    assert not _runs(command)
    slurm_cluster.start_node("node3")
    slurm_cluster.wait_until(lambda: job not in slurm_cluster.jobs(), 60, "the job is known to be lost")


def _runs(command: str) -> bool:
    """Whether a process has exactly this command line."""
    return subprocess.run(["pgrep", "--exact", "--full", command], check=False).returncode == 0


@pytest.mark.parametrize(
    ("lines", "reason"), [("ClusterName=real\n", "slurm.conf belongs to another cluster"), (None, None)]
)
def test_a_cluster_that_was_there_before_is_left_alone(
    toy_cluster_module: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lines: str | None,
    reason: str | None,
):
    monkeypatch.setattr(toy_cluster_module, "CONFIG", tmp_path)
    monkeypatch.setattr(toy_cluster_module, "STATE", tmp_path / "state")  # not that of the running toy cluster
    monkeypatch.setattr(toy_cluster_module, "PROGRAMS", {"sh": "dash"})
    monkeypatch.setattr(toy_cluster_module, "_processes", lambda *_: [])
    monkeypatch.setattr(toy_cluster_module.os, "geteuid", lambda: 0)
    if lines:
        (tmp_path / "slurm.conf").write_text(lines)
    assert (toy_cluster_module.reason_against() or "").endswith(reason or "")
    if lines:
        with pytest.raises(toy_cluster_module.ClusterError, match=reason):
            toy_cluster_module.start()
        toy_cluster_module.stop()
        assert (tmp_path / "slurm.conf").read_text() == lines


def test_missing_packages_are_named(toy_cluster_module: ModuleType, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(toy_cluster_module, "PROGRAMS", {"no-such-program": "munge"})
    monkeypatch.setattr(toy_cluster_module.os, "geteuid", lambda: 0)
    assert toy_cluster_module.reason_against() == "Debian packages are missing: apt-get install munge"
