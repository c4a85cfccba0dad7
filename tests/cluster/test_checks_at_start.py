"""Runs that SLURM could never finish end at their start, before any job is submitted."""

import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.cluster
Run = Callable[..., CompletedProcess[str]]
PROFILE = Path(__file__).parents[2] / "profiles" / "slurm" / "config.yaml"


def profile_with(folder: Path, **changes: Any) -> Path:
    """Write a profile like that of the project, with some changes, and return its folder."""
    profile = folder / "my-slurm"
    profile.mkdir()
    (profile / "config.yaml").write_text(yaml.safe_dump({**yaml.safe_load(PROFILE.read_text()), **changes}))
    return profile


def started_nothing(run: CompletedProcess[str], folder: Path) -> bool:
    return "has been submitted" not in run.stdout and not (folder / "work" / "scenes").exists()


def test_the_device_auto_is_refused(demo: Callable[[str], Path], run_on_slurm: Run):
    folder = demo("run")
    run = run_on_slurm(folder, "--configfile", "quick.yaml", "--config", "compute={device: auto}")
    assert run.returncode == 10, run.stdout[-2000:]
    assert "compute.device is auto, but the jobs run on a cluster" in run.stdout
    assert "Traceback" not in run.stdout and started_nothing(run, folder)


def test_requests_that_no_node_can_fulfil_are_found(demo: Callable[[str], Path], run_on_slurm: Run):
    """One run: too long, too many CPUs, too much memory, GPUs that the partition does not have, no such partition."""
    folder = demo("run")
    places = {
        "default-resources": ["slurm_partition=short", "runtime=30", "mem_mb=1000"],
        "set-resources": [
            "train_model:slurm_partition=gpu",
            "train_model:runtime=5000",
            "predict_scene:gpu=1",
            "fit_statistics:mem_mb=40000",
            "explain_tiles:slurm_partition=gone",
            "mosaic_region:runtime=30",
            "check_maps:runtime=30",
            "check_maps:slurm_partition=short,gpu",
        ],
        "set-threads": ["audit_splits=9"],
    }
    run = run_on_slurm(folder, "--configfile", "quick.yaml", profile=profile_with(folder, **places))
    assert run.returncode == 10, run.stdout[-3000:]
    lines = [line[2:] for line in run.stdout.splitlines() if line.startswith("- rule ")]
    faults = {name: line for line in lines for name in line.split()[1].split("+")}  # groups: rule+rule
    assert set(faults) >= {
        "train_model",
        "predict_scene",
        "fit_statistics",
        "explain_tiles",
        "audit_splits",
    }, run.stdout
    assert "compute.training_minutes in the config file to 2733 or less" in faults["train_model"]
    assert "check_maps" not in faults
    assert re.search(r"requests 8 CPUs, \d+ MB for 5000 minutes in partition gpu", faults["train_model"])
    assert "predict_scene:slurm_partition (partition short has no GPUs)" in faults["predict_scene"]
    assert "(sbatch: Requested node configuration is not available)" in faults["fit_statistics"]
    assert "fit_statistics:mem_mb (largest node of partition short: 32000 MB)" in faults["fit_statistics"]
    assert "explain_tiles:slurm_partition (no such partition" in faults["explain_tiles"]
    assert "set-threads: audit_splits=8 (largest node of partition short: 8 CPUs)" in faults["audit_splits"]
    assert "Traceback" not in run.stdout and started_nothing(run, folder)


def test_sigterm_ends_the_check(
    demo: Callable[[str], Path], start_on_slurm: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A cluster that does not answer: here an sbatch that hangs."""
    folder = demo("run")
    sbatch = tmp_path / "bin" / "sbatch"
    sbatch.parent.mkdir()
    sbatch.write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\nexec sleep 300\n")
    sbatch.chmod(0o755)
    monkeypatch.setenv("PATH", f"{sbatch.parent}:/usr/bin:/bin:/usr/sbin:/sbin")
    process = start_on_slurm(folder, "--configfile", "quick.yaml")
    while not (tmp_path / "asked").exists():
        assert process.poll() is None, (folder / "snakemake.out").read_text()
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(45) != 0
