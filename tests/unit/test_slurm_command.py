from pathlib import Path

import pytest

from clairemap.slurm import TEMPORARY
from clairemap.slurm_command import run_slurm, slurm_output


def command(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)
    return str(folder / name)


def test_output_counts_only_if_the_command_succeeds(tmp_path: Path):
    assert slurm_output(command(tmp_path, "squeue", "echo jobs: $1"), "--me") == "jobs: --me\n"
    assert slurm_output(command(tmp_path, "sinfo", "echo half; exit 1")) == ""
    assert slurm_output(str(tmp_path / "absent")) == ""


@pytest.mark.parametrize("text", [None, "exec sleep 60"], ids=["absent", "hangs"])
def test_a_command_without_an_answer_is_an_error_that_passes(tmp_path: Path, text: str | None):
    name = str(tmp_path / "absent") if text is None else command(tmp_path, "sbatch", text)
    done = run_slurm(name, timeout_s=0.5)
    assert done.returncode == 127 and name in done.stderr and TEMPORARY.search(done.stderr)
