"""The whole workflow under the SLURM profile: the maps equal those of one machine, byte for byte."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.workflow]
Run = Callable[..., CompletedProcess[str]]


def made_by(folder: Path) -> dict[str, bytes]:
    """Return the content of the maps and of the weights of a run."""
    files = [*(folder / "results" / "demo").glob("*.tif"), folder / "work" / "model" / "model.safetensors"]
    return {path.name: path.read_bytes() for path in files}


def test_the_demo_on_slurm_equals_that_on_one_machine(
    demo: Callable[[str], Path], snakemake: Run, run_on_slurm: Run, slurm_cluster: Any
):
    """On SLURM, training runs on two nodes; on one machine, in two processes."""
    here, there = demo("one machine"), demo("slurm")
    on_slurm = run_on_slurm(there, "--configfile", "quick.yaml", "--config", "compute={training_nodes: 2}")
    assert on_slurm.returncode == 0, on_slurm.stdout[-6000:]
    assert "Trying to restart" not in on_slurm.stdout
    slurm_cluster.wait_until(lambda: not slurm_cluster.jobs_in(there), 30, "no job is left")  # the last one completes
    training = (there / "work" / "logs" / "train_model.log").read_text()
    assert training.count("using the addresses of SLURM's configuration, 127.0.0.1") == 2  # node1 is not in /etc/hosts
    assert f"(log: {there / 'work' / 'logs' / 'slurm'}/rule_train_model/" in on_slurm.stdout

    two = ("--config", "compute={training_processes: 2}")
    local = snakemake(here, "--configfile", str(here / "quick.yaml"), *two, "--cores", "2")
    assert local.returncode == 0, local.stderr[-4000:]
    expected = made_by(here)
    assert len(expected) == 5
    assert made_by(there) == expected
