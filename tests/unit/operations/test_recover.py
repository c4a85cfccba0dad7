"""The recover step: what it does in a folder, and when it refuses."""

import dataclasses
import json
from pathlib import Path

import pytest

from clairemap.errors import RecoverError
from clairemap.operations import orphans, recover
from clairemap.operations.controllers import Controller, Places, registered, state_folder
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


@pytest.mark.parametrize("choice", ["ask", "rerun", "keep"])
def test_outputs_without_a_record_stay_unless_the_user_decides(killed: Path, choice: recover.Unrecorded):
    output = killed / "work" / "model.json"
    output.write_text("{}")
    (state_folder(killed) / "unrecorded.json").write_text(json.dumps(["work/model.json", "work/absent.json"]))
    lines = list(recover.recover(killed, unrecorded=choice))
    assert any("1 outputs" in line or "work/model.json" in line for line in lines)
    assert output.exists() == (choice != "rerun")
    assert (state_folder(killed) / "kept.json").exists() == (choice == "keep")
