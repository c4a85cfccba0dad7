"""Failures on SLURM: which jobs are retried, with how much memory; planned stops; what the screen says at the end."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from clairemap.attempts.records import Attempt, Cause, read_attempts

pytestmark = pytest.mark.cluster
Run = Callable[..., "subprocess.CompletedProcess[str]"]
PROJECT = Path(__file__).parents[2]
PATH = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}

FAULT = """
import os, signal, subprocess, sys
if "west" in sys.argv:
    {fault}
"""


def made_for_workflow() -> ModuleType:
    """Return the module that writes the scenes of the workflow's tests and copies the project."""
    path = PROJECT / "tests" / "workflow" / "conftest.py"
    spec = importlib.util.spec_from_file_location("made_for_workflow", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def small_region() -> ModuleType:
    """Return the module that writes the scenes of the workflow's tests."""
    return made_for_workflow()


@pytest.fixture
def folder(tmp_path: Path, small_region: ModuleType) -> Path:
    """Return a folder with two scenes, their sheet and a config file."""
    rows = ["scene,region,split,optical,sar,label"]
    for name, _, split, offset_px in small_region.SCENES[:2]:
        small_region._write_scene(tmp_path / "scenes", name, offset_px)
        rows.append(
            ",".join([name, "north", split, *(f"scenes/{name}/{role}.tif" for role in ("optical", "sar", "label"))])
        )
    (tmp_path / "scenes.csv").write_text("\n".join(rows) + "\n")
    configure(tmp_path, small_region)
    return tmp_path


def configure(folder: Path, small_region: ModuleType, steps: int = 4, **compute: object) -> None:
    training = {**small_region.CONFIG["training"], "steps": steps, "validate_every": 2}
    config = {
        **small_region.CONFIG,
        "scenes": "scenes.csv",
        "training": training,
        "compute": {"device": "cpu", **compute},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def broken_project(copy: Path, fault: str, rule: str = "register_pair") -> Path:
    """Return a copy of the project in which a rule's script has a fault for the scene west."""
    script = made_for_workflow().copy_project(copy) / "workflow" / "scripts" / f"{rule}.py"
    script.write_text(FAULT.format(fault=fault) + script.read_text())
    return copy


def words(folder: Path, *targets: str) -> list[str]:
    return [*targets, "--configfile", str(folder / "config.yaml"), "--set-threads", "train_model=1"]


def west(folder: Path) -> list[Attempt]:
    return read_attempts(folder / "work" / "logs" / "register_pair" / "west.log")


def summary_of(run: "subprocess.CompletedProcess[str]") -> str:
    """Return the last lines on the screen, from the summary on."""
    return run.stdout[run.stdout.rindex("failed job(s)") :]


REGISTRATIONS = [f"work/scenes/{name}/registration.json" for name in ("west", "middle")]


def test_an_error_that_a_retry_does_not_solve_fails_at_once(run_on_slurm: Run, folder: Path):
    sar = folder / "scenes" / "west" / "sar.tif"
    sar.write_bytes(sar.read_bytes()[:20_000])
    run = run_on_slurm(folder, *words(folder, *REGISTRATIONS))
    assert run.returncode == 1
    (attempt,) = west(folder)
    assert (attempt.cause, attempt.exit_code, bool(attempt.slurm_job)) == (Cause.ERROR, 13, True)
    assert "Trying to restart" not in run.stdout
    assert "- register_pair west: " in summary_of(run) and "UnreadableFileError, exit code 13" in summary_of(run)
    assert (folder / REGISTRATIONS[1]).exists()


def test_only_a_job_that_ran_out_of_memory_gets_more(
    run_on_slurm: Run, folder: Path, tmp_path_factory: pytest.TempPathFactory
):
    memory = "kept = b'1' * (600 << 20)"
    project = broken_project(tmp_path_factory.mktemp("project"), memory)
    run = run_on_slurm(folder, *words(folder, *REGISTRATIONS), project=project)
    attempts = west(folder)
    assert run.returncode == 0, run.stdout
    assert [attempt.cause for attempt in attempts] == [Cause.OUT_OF_MEMORY, Cause.DONE]
    assert attempts[1].memory_mb == 2 * attempts[0].memory_mb
    used = f"used {attempts[0].peak_mb} of {attempts[0].memory_mb} MB"
    assert f"register_pair west: killed: out of memory, {used}. It is run again (retry 1 of 2). Log: " in run.stdout
    (other,) = read_attempts(folder / "work" / "logs" / "register_pair" / "middle.log")
    assert other.memory_mb == attempts[0].memory_mb


def test_the_screen_says_what_memory_was_used_and_requested(
    run_on_slurm: Run, folder: Path, tmp_path_factory: pytest.TempPathFactory
):
    memory = "kept = b'1' * (600 << 20)"
    project = broken_project(tmp_path_factory.mktemp("project"), memory)
    fixed = ["--retries", "0"]
    run = run_on_slurm(folder, *words(folder, *REGISTRATIONS), *fixed, project=project)
    assert run.returncode == 1
    (attempt,) = west(folder)
    shown = summary_of(run)
    assert f"- register_pair west: killed: out of memory, used {attempt.peak_mb} of {attempt.memory_mb} MB" in shown
    assert f"register_pair:mem_mb={2 * attempt.memory_mb}" in shown


def test_a_cancelled_job_is_called_cancelled(run_on_slurm: Run, folder: Path, tmp_path_factory: pytest.TempPathFactory):
    cancel = "subprocess.run(['scancel', os.environ['SLURM_JOB_ID']]); signal.pause()"
    project = broken_project(tmp_path_factory.mktemp("project"), cancel)
    run = run_on_slurm(folder, *words(folder, *REGISTRATIONS), "--retries", "0", project=project)
    (attempt,) = west(folder)
    assert attempt.cause is Cause.CANCELLED
    assert f"- register_pair west: cancelled (SLURM job {attempt.slurm_job} on " in summary_of(run)


def test_a_killed_job_without_an_end_is_explained(
    run_on_slurm: Run, folder: Path, tmp_path_factory: pytest.TempPathFactory
):
    """The wrapper itself is killed, as when a node fails."""
    kill = "os.kill(os.getppid(), signal.SIGKILL); signal.pause()"
    project = broken_project(tmp_path_factory.mktemp("project"), kill)
    run = run_on_slurm(folder, *words(folder, *REGISTRATIONS), "--retries", "0", project=project)
    (attempt,) = west(folder)
    assert attempt.exit_code is None
    assert "- register_pair west: killed on " in summary_of(run)


def prepare(folder: Path) -> list[str]:
    """Run the stages before training on this machine, and return the start of Snakemake's command line for it."""
    local = [sys.executable, "-m", "snakemake", "--snakefile", str(PROJECT / "Snakefile"), "--cores", "1"]
    checks = [f"work/scenes/{name}/radiometry_check.json" for name in ("west", "middle")]
    command = [*local, *words(folder, "work/model/training_splits.parquet", *checks)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=PATH)
    return local


def test_training_over_three_time_budgets_uses_no_retry_and_no_more_memory(
    run_on_slurm: Run, folder: Path, small_region: ModuleType
):
    """Each start trains one of three steps, and no retry is allowed; the weights are those of an undisturbed run."""
    configure(folder, small_region, steps=3)
    local = prepare(folder)
    undisturbed = folder / "undisturbed"
    shutil.copytree(folder / "scenes", undisturbed / "scenes")
    for name in ("scenes.csv", "config.yaml"):
        shutil.copy(folder / name, undisturbed)

    configure(folder, small_region, steps=3, training_minutes=0.001)
    run = run_on_slurm(folder, *words(folder, "work/model/model.json"), "--retries", "0")
    assert run.returncode == 0, run.stdout
    attempts = read_attempts(folder / "work" / "logs" / "train_model.log")
    assert [attempt.cause for attempt in attempts] == [Cause.TIME_BUDGET, Cause.TIME_BUDGET, Cause.DONE]
    assert len({attempt.memory_mb for attempt in attempts}) == len({attempt.slurm_job for attempt in attempts}) == 1
    log = (folder / "work" / "logs" / "train_model.log").read_text()
    assert log.count("is requeued and resumes training") == 2
    assert all(f"resuming after step {step} of 3" in log for step in (1, 2))

    command = [*local, *words(undisturbed, "work/model/model.json")]
    subprocess.run(command, cwd=undisturbed, check=True, capture_output=True, env=PATH)
    one, other = (place / "work" / "model" / "model.safetensors" for place in (folder, undisturbed))
    assert one.read_bytes() == other.read_bytes()


def test_a_planned_stop_that_is_not_requeued_uses_no_retry(
    run_on_slurm: Run, folder: Path, tmp_path_factory: pytest.TempPathFactory
):
    stop = "open('stops', 'a').write('x'); len(open('stops').read()) < 4 and sys.exit(75)"
    project = broken_project(tmp_path_factory.mktemp("project"), stop)
    extra = ["--default-resources", "slurm_partition=cpu", "slurm_extra='--no-requeue'", "--retries", "1"]
    run = run_on_slurm(folder, *words(folder, REGISTRATIONS[0]), *extra, project=project)
    attempts = west(folder)
    assert run.returncode == 0, run.stdout
    assert [attempt.cause for attempt in attempts] == [*[Cause.TIME_BUDGET] * 3, Cause.DONE]
    assert len({attempt.memory_mb for attempt in attempts}) == 1
    assert "was not requeued (" in attempts[0].message
