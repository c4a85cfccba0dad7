"""On a real SLURM: Snakemake is killed, its jobs run on; nothing of that may give a wrong result without a word."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from clairemap.operations.orphans import local_orphans, run_ids

PROJECT = Path(__file__).parents[2]
SCENE = "work/scenes/west"
pytestmark = pytest.mark.cluster
Start = Callable[..., "subprocess.Popen[str]"]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def region(benchmark_module: Callable[[str], ModuleType], tmp_path: Path) -> Path:
    """Return a folder with the two small scenes of the benchmark of faults."""
    folder = tmp_path / "region"
    benchmark_module("faults_made").write_region(folder)
    return folder


def recover(folder: Path, *words: str) -> str:
    script = PROJECT / "workflow" / "scripts" / "recover.py"
    done = subprocess.run(
        [sys.executable, str(script), *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def register_pair_is_planned(plan: "subprocess.CompletedProcess[str]") -> bool:
    """Whether a dry run's table of jobs contains register_pair."""
    assert plan.returncode == 0, plan.stdout
    assert "Nothing to be done" in plan.stdout or re.search(r"^total +\d+$", plan.stdout, re.M), plan.stdout
    return re.search(r"^register_pair +\d+$", plan.stdout, re.M) is not None


def own_jobs(cluster: Any, folder: Path) -> list[int]:
    return [number for number, name in cluster.jobs().items() if name in run_ids(folder)]


def kill_when_it_works(
    cluster: Any, folder: Path, process: "subprocess.Popen[str]", stage: str, hold: bool = False
) -> None:
    """Kill Snakemake as soon as a job of a stage runs its script; `hold` stops the script, so that it does not end."""

    def runs() -> bool:
        assert process.poll() is None, (folder / "snakemake.out").read_text()
        running = [found.pid for found in local_orphans(folder, frozenset()) if found.script == stage]
        for pid in running if hold else ():
            os.kill(pid, signal.SIGSTOP)
        return bool(running)

    cluster.wait_until(runs, 120, f"{stage} runs")
    process.kill()
    process.wait()


def test_jobs_that_end_after_a_kill_are_known_to_later_runs(
    slurm_cluster: Any, region: Path, start_on_slurm: Start, run_on_slurm: Run
):
    words = (f"{SCENE}/pair.json", "--configfile", str(region / "config.yaml"))
    kill_when_it_works(slurm_cluster, region, start_on_slurm(region, *words), "register_pair")
    slurm_cluster.wait_until(lambda: not own_jobs(slurm_cluster, region), 120, "the orphan ends")
    assert (region / SCENE / "registration.json").exists()

    refused = run_on_slurm(region, *words)
    assert refused.returncode == 30 and "was killed" in refused.stdout
    assert "killed: Snakemake" in recover(region)
    assert not register_pair_is_planned(run_on_slurm(region, *words, "--dry-run"))

    text = (region / "config.yaml").read_text()
    (region / "config.yaml").write_text(text + "registration: {window_px: 64}\n")
    assert register_pair_is_planned(run_on_slurm(region, *words, "--dry-run"))


def test_recover_cancels_the_jobs_of_this_folder_only(
    slurm_cluster: Any, region: Path, start_on_slurm: Start, run_on_slurm: Run
):
    words = (f"{SCENE}/registration.json", "--configfile", str(region / "config.yaml"))
    submit = ("sbatch", "--parsable", "--job-name=clairemap_other", f"--chdir={region}", "--output=/dev/null")
    other = int(slurm_cluster.run(*submit, "--wrap=sleep 300"))
    kill_when_it_works(slurm_cluster, region, start_on_slurm(region, *words), "register_pair", hold=True)

    planned = recover(region, "--dry-run")
    assert "would cancel SLURM job" in planned
    assert f"scancel {other}" in planned
    recover(region)
    assert own_jobs(slurm_cluster, region) == [] and other in slurm_cluster.jobs()
    slurm_cluster.run("scancel", str(other))

    done = run_on_slurm(region, *words)
    assert done.returncode == 0, done.stdout
    assert not list((region / "work").rglob("*.part"))
