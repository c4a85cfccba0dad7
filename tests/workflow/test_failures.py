"""Failed jobs: which are retried, with how much memory, and what the screen says at the end."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from clairemap.attempts.records import Cause, read_attempts

pytestmark = pytest.mark.workflow
Run = Callable[..., CompletedProcess[str]]

FAULT = """
import os, pathlib, signal, sys
if "west" in sys.argv:
    marker = pathlib.Path("attempts")
    number = len(marker.read_text()) if marker.exists() else 0
    marker.write_text("x" * (number + 1))
    if number < 2:
        {fault}
"""


def register_all(region: Path, snakemake: Run, project: Path | None = None) -> CompletedProcess[str]:
    """Register the scenes west and east, with two retries."""
    targets = [f"work/scenes/{name}/registration.json" for name in ("west", "east")]
    words = [*targets, "--configfile", str(region / "config.yaml"), "--retries", "2"]
    return snakemake(region, *words, **({"project": project} if project else {}))


def log_of(region: Path) -> Path:
    return region / "work" / "logs" / "register_pair" / "west.log"


def end_of(run: CompletedProcess[str]) -> str:
    """Return the last lines on the screen."""
    output = run.stdout + run.stderr
    return output[output.rindex("failed job(s)") :]


def test_an_error_that_a_retry_does_not_solve_is_not_retried(region: Path, snakemake: Run):
    sar = region / "scenes" / "west" / "sar.tif"
    sar.write_bytes(sar.read_bytes()[:20_000])
    run = register_all(region, snakemake)
    assert run.returncode == 1
    (attempt,) = read_attempts(log_of(region))
    assert (attempt.cause, attempt.exit_code) == (Cause.ERROR, 13)
    assert "Trying to restart" not in run.stdout + run.stderr
    (line,) = [line for line in end_of(run).splitlines() if line.startswith("- ")]
    assert line.startswith("- register_pair west: ") and "sar.tif" in line
    assert "(UnreadableFileError, exit code 13)" in line and "work/logs/register_pair/west.log" in line
    assert (region / "work" / "scenes" / "east" / "registration.json").exists()


@pytest.mark.parametrize(
    ("fault", "factors"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", [1, 1, 1]),
        ("raise OSError(5, 'broken')", [1, 1, 1]),
        ("from clairemap.errors import MemoryLimitError; sys.exit(MemoryLimitError.exit_code)", [1, 2, 4]),
    ],
)
def test_other_failures_are_retried_and_memory_grows_only_where_it_was_short(
    region: Path, snakemake: Run, project_copy: Path, fault: str, factors: list[int]
):
    script = project_copy / "workflow" / "scripts" / "register_pair.py"
    script.write_text(FAULT.format(fault=fault) + script.read_text())
    run = register_all(region, snakemake, project_copy)
    assert run.returncode == 0, run.stdout + run.stderr
    attempts = read_attempts(log_of(region))
    assert [attempt.memory_mb // attempts[0].memory_mb for attempt in attempts] == factors
    assert [attempt.cause for attempt in attempts][2] is Cause.DONE
    assert len({attempt.run for attempt in attempts}) == 1
    assert "failed job(s)" not in run.stdout + run.stderr


def test_a_later_run_keeps_the_log_of_the_earlier_one_apart(region: Path, snakemake: Run):
    sar = region / "scenes" / "west" / "sar.tif"
    whole = sar.read_bytes()
    sar.write_bytes(whole[:20_000])
    assert register_all(region, snakemake).returncode == 1
    sar.write_bytes(whole)
    assert register_all(region, snakemake).returncode == 0
    assert "UnreadableFileError" not in log_of(region).read_text()
    assert "UnreadableFileError" in log_of(region).with_name("west.previous.log").read_text()
