"""Planning refuses what would go wrong without a word after a kill, and says what to do."""

import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml

from clairemap.operations.controllers import Controller, registered, state_folder
from clairemap.operations.ownership import OWNER_FILE, Owner

PROJECT = Path(__file__).parents[2]
TARGET = "work/scenes/west/registration.json"
pytestmark = pytest.mark.workflow
Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def run(region: Path, snakemake: Run) -> Callable[..., tuple[int, str]]:
    """Return a function that makes the registration of a scene and returns exit code and output."""

    def call(*words: str, folder: Path = region) -> tuple[int, str]:
        done = snakemake(folder, TARGET, "--configfile", str(folder / "config.yaml"), *words)
        return done.returncode, done.stdout + done.stderr

    return call


def recover(folder: Path, *words: str) -> str:
    script = PROJECT / "workflow" / "scripts" / "recover.py"
    done = subprocess.run([sys.executable, str(script), *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


def test_outputs_without_a_record_are_refused_until_the_user_decides(region: Path, run: Callable[..., tuple[int, str]]):
    assert run()[0] == 0
    for choice, then in (("keep", "Nothing to be done"), ("rerun", "1 of 1 steps")):
        shutil.rmtree(region / ".snakemake" / "metadata")
        for words in (("--dry-run",), ()):
            code, output = run(*words)
            assert code == 30 and "1 outputs exist, but Snakemake has no record" in output and TARGET in output
        assert "choose UNRECORDED" in recover(region)
        recover(region, "--unrecorded", choice)
        assert (region / TARGET).exists() == (choice == "keep")
        code, output = run()
        assert code == 0 and then in output
        assert len(list((region / ".snakemake" / "metadata").iterdir())) == 1
    # an accepted output is compared with later settings again
    config = yaml.safe_load((region / "config.yaml").read_text())
    (region / "config.yaml").write_text(yaml.safe_dump({**config, "registration": {"window_px": 64}}))
    assert "register_pair" in run("--dry-run")[1]


def test_after_a_kill_the_run_names_the_remedy(region: Path, run: Callable[..., tuple[int, str]]):
    assert run()[0] == 0
    assert not list((state_folder(region) / "controllers").iterdir())
    record = state_folder(region) / "controllers" / "host.1.json"
    record.write_text(json.dumps(dataclasses.asdict(dataclasses.replace(Controller.this_process(), ticks="1"))))
    code, output = run()
    assert code == 30 and "was killed. Run `python" in output and "recover.py`" in output
    assert run("--dry-run")[0] == 0
    assert "killed: Snakemake" in recover(region)
    assert run()[0] == 0


def test_of_two_runs_in_a_folder_the_second_is_refused(region: Path, run: Callable[..., tuple[int, str]]):
    lock = region / ".snakemake" / "locks" / "0.output.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text(f"{TARGET}\n")
    with registered(region):
        code, output = run()
        assert code == 30 and "Snakemake is running in this folder (process" in output
    code, output = run()
    assert code == 30 and "locked by a Snakemake that left no record" in output
    recover(region)
    assert run()[0] == 0


def test_two_folders_with_one_work_dir_are_refused(region: Path, tmp_path: Path, run: Callable[..., tuple[int, str]]):
    assert run()[0] == 0
    other = tmp_path / "other"
    shutil.copytree(region, other, ignore=shutil.ignore_patterns(".snakemake", "work"))
    config = yaml.safe_load((other / "config.yaml").read_text())
    (other / "config.yaml").write_text(yaml.safe_dump({**config, "work_dir": str(region / "work")}))
    code, output = run("--dry-run", folder=other)
    assert code == 10 and f"belongs to the runs in {region}" in output
    recover(other, "--take-over", str(region / "work"))
    code, output = run("--dry-run", folder=region)
    assert code == 10 and f"belongs to the runs in {other}" in output


def test_two_folders_with_one_results_dir_are_refused(region: Path, tmp_path: Path, snakemake: Run):
    other = tmp_path / "other"
    shutil.copytree(region, other)
    config = yaml.safe_load((other / "config.yaml").read_text())
    (other / "config.yaml").write_text(yaml.safe_dump({**config, "results_dir": str(region / "results")}))
    owner = Owner(str(region), str(region / "work"), str(region / "results" / "north"))
    (region / "work").mkdir()
    (region / "results" / "north").mkdir(parents=True)
    (region / "results" / "north" / OWNER_FILE).write_text(json.dumps(dataclasses.asdict(owner)))
    words = ("--configfile", str(other / "config.yaml"))

    def code_and_output(*more: str) -> tuple[int, str]:
        done = snakemake(other, *words, *more)
        return done.returncode, done.stdout + done.stderr

    code, output = code_and_output()
    assert code == 10 and f"results of region north belong to the runs in {region}" in output
    (region / "results" / "north" / "metrics.json").write_text("{}")
    code, output = code_and_output("--dry-run")
    assert code == 10 and f"results of region north belong to the runs in {region}" in output
    assert str(region) in recover(other, "--take-over", str(region / "results" / "north"))
    code, output = code_and_output("--dry-run")
    assert code == 30 and "1 outputs exist, but Snakemake has no record" in output
