import subprocess
import sys
from pathlib import Path

import pytest

from clairemap import console, errors
from clairemap.console import progress

SCRIPT = """
import errno
from typing import Annotated

import typer

from clairemap.console import run
from clairemap.errors import SampleSheetError, TimeBudgetError


def act(what: Annotated[str, typer.Option()], count: Annotated[int, typer.Option()] = 1, place: str = "") -> None:
    if what == "sheet":
        raise SampleSheetError("scenes.csv: row 3 is wrong: correct it")
    if what == "time":
        raise TimeBudgetError("saved")
    if what == "full":
        raise OSError(errno.ENOSPC, "No space left on device", "/scratch/out.tif")
    if what == "unnamed":
        raise OSError(errno.ENOSPC, "No space left on device")
    if what == "memory":
        raise MemoryError("unable to allocate 3 GiB")
    if what == "io":
        raise OSError(errno.EIO, "broken")
    if what == "bug":
        raise KeyError("fault in the code")
    print(what * count)


if __name__ == "__main__":
    run(act)
"""


def call(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    script = folder / "act.py"
    script.write_text(SCRIPT)
    return subprocess.run([sys.executable, str(script), *words], capture_output=True, text=True, check=False)


def test_parameters_become_options(tmp_path: Path):
    answer = call(tmp_path, "--what", "ab", "--count", "2")
    assert answer.returncode == 0
    assert answer.stdout == "abab\n"


@pytest.mark.parametrize(
    ("what", "code", "text"),
    [
        ("sheet", 11, "scenes.csv: row 3 is wrong: correct it (SampleSheetError, exit code 11)"),
        ("time", 75, "saved (TimeBudgetError, exit code 75)"),
        (
            "full",
            24,
            "run again (DiskFullError, exit code 24)",
        ),
        ("memory", 76, "the job needs more mem_mb (MemoryLimitError, exit code 76)"),
    ],
)
def test_user_errors_are_one_line_with_an_exit_code(tmp_path: Path, what: str, code: int, text: str):
    answer = call(tmp_path, "--what", what)
    assert answer.returncode == code
    assert text in answer.stderr
    assert ("Traceback" in answer.stderr) == (what == "memory")


def test_a_full_disk_is_named_with_its_free_space(tmp_path: Path):
    assert "/scratch/out.tif: no space left on / (" in call(tmp_path, "--what", "full").stderr
    guessed = call(tmp_path, "--what", "unnamed", "--place", "/proc/new").stderr
    assert "/proc/new: no space left on /proc (0.0 MB free)" in guessed


@pytest.mark.parametrize(("what", "text"), [("io", "broken"), ("bug", "fault in the code")])
def test_bugs_keep_their_traceback(tmp_path: Path, what: str, text: str):
    answer = call(tmp_path, "--what", what)
    assert answer.returncode == 1
    assert "Traceback" in answer.stderr
    assert text in answer.stderr


WRITING_SCRIPT = """
import time
from pathlib import Path
from typing import Annotated

import typer

from clairemap.console import run
from clairemap.provenance import written_whole


def write(target: Annotated[Path, typer.Option()]) -> None:
    with written_whole(target) as part:
        part.write_text("half")
        print("writing", flush=True)
        time.sleep(60)


if __name__ == "__main__":
    run(write)
"""


def test_a_terminated_job_leaves_no_incomplete_file(tmp_path: Path):
    script, results = tmp_path / "write.py", tmp_path / "results"
    script.write_text(WRITING_SCRIPT)
    words = [sys.executable, str(script), "--target", str(results / "out.tif")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as job:
        assert job.stdout is not None
        assert job.stdout.readline() == "writing\n"
        assert len(list(results.iterdir())) == 1
        job.terminate()
        assert job.wait(timeout=30) == 143
    assert not list(results.iterdir())


def test_a_wrong_command_line_is_rejected(tmp_path: Path):
    answer = call(tmp_path, "--wath", "x")
    assert answer.returncode == 2
    assert "--wath" in answer.stderr


def test_each_error_has_its_own_exit_code():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    codes = [kind.exit_code for kind in kinds]
    assert len(set(codes)) == len(codes)
    assert all(0 < code < 126 for code in codes)


def test_progress_passes_the_items_on(capsys: pytest.CaptureFixture[str]):
    assert list(progress(iter("abc"), "letters", total=3)) == ["a", "b", "c"]
    assert capsys.readouterr().out == ""


def test_a_log_gets_progress_lines(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch):
    seconds = iter([0.0, 10.0, 20.0, 29.0, 36.0])  # at the start, and as each item is requested
    monkeypatch.setattr(console.time, "monotonic", lambda: next(seconds))
    with caplog.at_level("INFO"):
        assert list(progress("abcd", "letters", total=4)) == list("abcd")
    assert caplog.messages == ["letters: 1 of 4 after 20 s", "letters: 3 of 4 after 36 s"]


def test_a_terminal_gets_a_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(console.sys.stderr, "isatty", lambda: True)
    assert list(progress("abcd", "letters", total=4)) == list("abcd")
    assert "letters: 100%" in capsys.readouterr().err


def test_a_warning_is_in_the_log_and_on_the_screen(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
):
    """Snakemake shows a job's standard output; its standard error is the log file."""
    console.warn("regions of their own")
    assert capsys.readouterr().out == "WARNING: regions of their own\n"
    assert [record.getMessage() for record in caplog.records] == ["regions of their own"]


def test_on_a_terminal_a_warning_appears_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(console.sys.stderr, "isatty", lambda: True)
    console.warn("regions of their own")
    assert capsys.readouterr().out == ""
