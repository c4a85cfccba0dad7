"""The recover step: what it does in a folder, and when it refuses."""

import dataclasses
import datetime
import json
import os
import re
from pathlib import Path

import pytest

from clairemap.errors import RecoverError
from clairemap.operations import orphans, recover
from clairemap.operations.controllers import Controller, Places, registered, state_folder
from clairemap.operations.output_lists import unrecorded_outputs
from clairemap.operations.queue import QueuedJob
from clairemap.provenance import temporary_beside


def no_slurm() -> list[QueuedJob]:
    raise RecoverError("no squeue")


@pytest.fixture
def killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder in which Snakemake was killed: a record, a lock and a temporary file are left."""
    monkeypatch.setattr(orphans, "queue", no_slurm)
    Places("work", ("results/north",)).remember(tmp_path)
    record = state_folder(tmp_path) / "controllers" / "host.1.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps(dataclasses.asdict(dataclasses.replace(Controller.this_process(), ticks="1"))))
    for path in (tmp_path / ".snakemake" / "locks" / "0.output.lock", temporary_beside(tmp_path / "work" / "m.json")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return tmp_path


def content(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_it_unlocks_and_removes_what_was_left(killed: Path):
    before = content(killed)
    planned = list(recover.recover(killed, dry_run=True))
    assert content(killed) == before
    assert [line.removeprefix("would ") for line in planned] == list(recover.recover(killed))
    assert {path.parent.name for path in content(killed)} == {"places"}
    assert list(recover.recover(killed)) == []


def test_it_refuses_while_snakemake_runs(killed: Path):
    with registered(killed), pytest.raises(RecoverError, match=r"is running in this folder \(process \d+ on"):
        list(recover.recover(killed))


def test_it_refuses_without_slurm_if_the_killed_run_used_it(killed: Path):
    log = killed / ".snakemake" / "log" / "x.snakemake.log"
    log.parent.mkdir()
    log.write_text("SLURM run ID: clairemap_1111\n")
    with pytest.raises(RecoverError, match="no squeue"):
        list(recover.recover(killed))
    assert (killed / ".snakemake" / "locks").exists()


@pytest.mark.parametrize(("age_s", "kept"), [(-100, False), (100, True)])
def test_results_newer_than_a_running_job_of_another_folder_are_kept(
    killed: Path, monkeypatch: pytest.MonkeyPatch, age_s: float, kept: bool
):
    started = datetime.datetime(2026, 1, 2, 3, 4, 5)
    jobs = [QueuedJob("7", "clairemap_2", "RUNNING", "None", started.isoformat(), "/other", "")]
    monkeypatch.setattr(orphans, "queue", lambda: jobs)
    part = temporary_beside(killed / "results" / "north" / "m.tif")
    part.touch()
    os.utime(part, (started.timestamp() + age_s, started.timestamp() + age_s))
    lines = list(recover.recover(killed))
    assert part.exists() == kept == any("newer than a running job" in line for line in lines)


def test_a_waiting_job_of_another_folder_has_written_nothing_yet(killed: Path, monkeypatch: pytest.MonkeyPatch):
    jobs = [QueuedJob("7", "clairemap_2", "PENDING", "Priority", "N/A", "/other", "")]
    monkeypatch.setattr(orphans, "queue", lambda: jobs)
    part = temporary_beside(killed / "results" / "north" / "m.tif")
    part.touch()
    list(recover.recover(killed))
    assert not part.exists()


def test_outputs_that_have_a_record_by_now_stay(killed: Path, monkeypatch: pytest.MonkeyPatch):
    output = killed / "work" / "model.json"
    output.write_text("{}")
    unrecorded_outputs(killed).write(["work/model.json"])
    monkeypatch.setattr(recover.FilePersistence, "_read_record", lambda *_: object())
    list(recover.recover(killed, unrecorded="rerun"))
    assert output.exists()


def test_no_script_that_a_user_runs_is_taken_for_a_stage():
    workflow = Path(__file__).parents[3] / "workflow"
    rules = "".join(path.read_text() for path in (workflow / "rules").glob("*.smk"))
    stages = set(re.findall(r"^rule (\w+):", rules, re.M))
    assert {path.stem for path in (workflow / "scripts").glob("*.py")} - stages == recover.NOT_STAGES


@pytest.mark.parametrize("choice", ["ask", "rerun", "keep"])
def test_outputs_without_a_record_stay_unless_the_user_decides(killed: Path, choice: recover.Unrecorded):
    output = killed / "work" / "model.json"
    output.write_text("{}")
    (state_folder(killed) / "unrecorded.json").write_text(json.dumps(["work/model.json", "work/absent.json"]))
    lines = list(recover.recover(killed, unrecorded=choice))
    assert any("1 outputs" in line or "work/model.json" in line for line in lines)
    assert output.exists() == (choice != "rerun")
    assert (state_folder(killed) / "kept.json").exists() == (choice == "keep")


def test_a_mistyped_folder_is_an_error_and_is_not_made(tmp_path: Path):
    missing, file = tmp_path / "missing", tmp_path / "file"
    file.touch()
    for folder in (missing, file):
        with pytest.raises(RecoverError, match=f"^{re.escape(str(folder))}: no such folder; set FOLDER"):
            list(recover.recover(folder))
    for place in (missing, tmp_path):
        for dry_run in (True, False):
            with pytest.raises(RecoverError, match=f"^{re.escape(str(place))}: no run owns this folder; set TAKE_OVER"):
                recover.take_over(place, tmp_path, dry_run=dry_run)
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_in_which_snakemake_never_ran_stays_as_it_is(tmp_path: Path):
    assert list(recover.recover(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []
