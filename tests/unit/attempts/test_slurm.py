from pathlib import Path

import pytest

from clairemap.attempts import slurm
from clairemap.attempts.records import Cause

SHOWN = "JobId=17 JobName=x JobState={state} Reason=None Dependency=(null) ReqNodeList=(null) NodeList=node[1-2] End=x"


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is the whole PATH, for commands of SLURM."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def add(folder: Path, name: str, output: str, code: int = 0) -> None:
    (folder / name).write_text(f"#!/bin/sh\nprintf '%s\\n' '{output}'\nexit {code}\n")
    (folder / name).chmod(0o755)


def test_the_controller_is_asked_first(commands: Path):
    add(commands, "scontrol", SHOWN.format(state="OUT_OF_MEMORY"))
    add(commands, "sacct", "RUNNING|node9|\nOUT_OF_MEMORY|node1|512000K\nCOMPLETED|node1|1.5G")
    found = slurm.find_job("17")
    assert found == slurm.SlurmJob("OUT_OF_MEMORY", "node[1-2]", 1536)
    assert found.cause is Cause.OUT_OF_MEMORY


def test_accounting_knows_older_jobs(commands: Path):
    add(commands, "scontrol", "slurm_load_jobs error: Invalid job id specified", code=1)
    add(commands, "sacct", "CANCELLED by 0|node1|")
    found = slurm.find_job("17")
    assert found is not None and found.cause is Cause.CANCELLED


@pytest.mark.usefixtures("commands")
def test_no_slurm():
    assert slurm.find_job("17") is None
    assert "scontrol" in (slurm.requeue("17") or "")


@pytest.mark.parametrize(("text", "mb"), [("512K", 0), ("2048K", 2), ("1.5G", 1536), ("", 0), ("x", 0), ("3M", 3)])
def test_sizes(text: str, mb: int):
    assert slurm.size_mb(text) == mb
