import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clairemap.attempts import runner
from clairemap.attempts.records import Cause, read_attempts


def attempt(log: Path, *command: str, run: str = "r", memory_mb: int = 500, **variables: str) -> int:
    environment = {"CLAIREMAP_RUN": run, **variables}
    return runner.run(log, memory_mb, command, environment)


def python(code: str) -> tuple[str, str, str]:
    return sys.executable, "-c", code


REPORT = "2026-01-01 00:00:00,1 ERROR: sheet (SampleSheetError, exit code 11)"


@pytest.mark.parametrize(
    ("code", "exit_code", "cause"),
    [
        ("", 0, Cause.DONE),
        ("raise SystemExit(11)", 11, Cause.ERROR),
        ("1 / 0", 1, Cause.FAILED),
        ("raise SystemExit(75)", 75, Cause.TIME_BUDGET),
        ("raise SystemExit(76)", 76, Cause.OUT_OF_MEMORY),
        ("import os; os.kill(os.getpid(), 15)", 143, Cause.TERMINATED),
        ("import os; os.kill(os.getpid(), 2)", 130, Cause.TERMINATED),
        ("import os; os.kill(os.getpid(), 9)", 137, Cause.KILLED),
        ("import os; x = bytearray(480 << 20); os.kill(os.getpid(), 9)", 137, Cause.OUT_OF_MEMORY),
        (f"import sys; sys.exit(print({REPORT!r}, file=sys.stderr) or 137)", 11, Cause.ERROR),
        (f"import sys; print({REPORT!r}, file=sys.stderr)", 0, Cause.DONE),
    ],
)
def test_each_attempt_is_recorded_with_its_cause(tmp_path: Path, code: str, exit_code: int, cause: Cause):
    log = tmp_path / "logs" / "west.log"
    # In a process of its own: the largest child counts as the peak of memory, and this process has had others.
    # Ctrl-C has its default meaning there, even if the tests run in the background, where it is ignored.
    program = f"""
import signal
from clairemap.attempts import runner
signal.signal(signal.SIGINT, signal.default_int_handler)
runner.memory_kills = lambda: 0
raise SystemExit(runner.run(__import__("pathlib").Path({str(log)!r}), 500, {python(code)!r}, {{"CLAIREMAP_RUN": "r"}}))
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == exit_code
    (found,) = read_attempts(log)
    assert (found.exit_code, found.cause, found.run, found.memory_mb) == (exit_code, cause, "r", 500)
    assert found.host and found.time and found.peak_mb > 0


def test_the_largest_memory_is_recorded(tmp_path: Path):
    words = ["-m", "clairemap.attempts", "--log", str(tmp_path / "a.log"), *python("x = bytearray(300 << 20); del x")]
    subprocess.run([sys.executable, *words], check=True)
    assert 300 < read_attempts(tmp_path / "a.log")[0].peak_mb < 340


def test_memory_of_several_processes_adds_up(tmp_path: Path):
    """Each child signals that it has its memory, and waits until the attempt has measured both.

    In a process of its own, as above.
    """
    child = "import sys; x = bytearray(100 << 20); print(flush=True); sys.stdin.read()"
    parent = f"""
import subprocess, sys, time
children = [subprocess.Popen([sys.executable, "-c", {child!r}], stdin=-1, stdout=-1) for _ in range(2)]
[one.stdout.readline() for one in children]
time.sleep(1)
[one.communicate(b"") for one in children]
"""
    program = f"""
from clairemap.attempts import runner
runner.POLL_S = 0.05
runner.run(__import__("pathlib").Path({str(tmp_path / "a.log")!r}), 500, {python(parent)!r}, {{}})
"""
    subprocess.run(python(program), check=True)
    assert 200 < read_attempts(tmp_path / "a.log")[0].peak_mb < 300


def test_a_kill_for_memory_is_seen_in_the_control_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    kills = iter([3, 4])
    monkeypatch.setattr(runner, "memory_kills", lambda: next(kills))
    attempt(tmp_path / "a.log", *python("import os; os.kill(os.getpid(), 9)"))
    assert read_attempts(tmp_path / "a.log")[0].cause is Cause.OUT_OF_MEMORY


def test_an_error_of_ours_stays_one_after_a_kill_for_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    kills = iter([3, 4])
    monkeypatch.setattr(runner, "memory_kills", lambda: next(kills))
    attempt(tmp_path / "a.log", *python("raise SystemExit(11)"))
    assert read_attempts(tmp_path / "a.log")[0].cause is Cause.ERROR


def test_without_the_name_of_a_run_the_log_goes_on(tmp_path: Path):
    attempt(tmp_path / "a.log", *python("import sys; sys.exit('one')"))
    attempt(tmp_path / "a.log", *python("import sys; sys.exit('two')"), run="")
    assert [one.run for one in read_attempts(tmp_path / "a.log")] == ["r", ""]
    assert not (tmp_path / "a.previous.log").exists()


def test_attempts_of_a_run_share_a_log_and_another_run_keeps_it(tmp_path: Path):
    log = tmp_path / "east.fused.log"
    for text in ("one", "two"):
        log.unlink(missing_ok=True)  # as Snakemake does
        attempt(log, *python(f"import sys; sys.exit({text!r})"))
    assert "one" in log.read_text() and "two" in log.read_text()
    attempt(log, *python("import sys; sys.exit('three')"), run="later")
    assert "two" in (tmp_path / "east.fused.previous.log").read_text()
    assert "two" not in log.read_text() and "three" in log.read_text()
    assert len(read_attempts(log)) == 1


def test_without_hard_links_the_log_is_a_symbolic_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object):
        raise PermissionError

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    for _ in range(2):
        attempt(tmp_path / "a.log", *python("import sys; sys.exit('one')"))
    assert (tmp_path / "a.log").is_symlink() and (tmp_path / "a.log").read_text().count("one\n") == 2


def start(log: Path, code: str) -> subprocess.Popen[str]:
    """Start an attempt as the rules do, and wait until its command prints a line."""
    words = [sys.executable, "-m", "clairemap.attempts", "--log", str(log), *python(code)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


CLEANS_UP = """
import signal, sys, time
def clean(*_):
    print("cleaned", flush=True)
    sys.exit(143)
signal.signal(signal.SIGTERM, clean)
print("ready", flush=True)
time.sleep(60)
"""


def test_sigterm_reaches_the_stage(tmp_path: Path):
    with start(tmp_path / "a.log", CLEANS_UP) as process:
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None and process.stdout.read() == "cleaned\n"
        assert process.wait(timeout=30) == 143
    assert read_attempts(tmp_path / "a.log")[0].cause is Cause.TERMINATED


def test_ctrl_c_does_not_end_an_attempt_before_its_stage(tmp_path: Path):
    with start(tmp_path / "a.log", CLEANS_UP) as process:
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 143
    assert read_attempts(tmp_path / "a.log")[0].exit_code == 143


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's PR_SET_PDEATHSIG")
def test_a_killed_attempt_takes_its_stage_along_and_has_no_end(tmp_path: Path):
    with start(tmp_path / "a.log", CLEANS_UP) as process:
        process.kill()
        assert process.stdout is not None and process.stdout.read() == "cleaned\n"  # at the end of the stage
        assert process.wait(timeout=30) == -9
    assert read_attempts(tmp_path / "a.log")[0].cause is None


def scontrol(folder: Path, code: int, text: str) -> dict[str, str]:
    """Return variables of a SLURM job with a `scontrol` that logs its arguments."""
    command = folder / "scontrol"
    command.write_text(f"#!/bin/sh\necho \"$@\" >> {folder}/calls\necho '{text}' >&2\nexit {code}\n")
    command.chmod(0o755)
    return {"SLURM_JOB_ID": "17"}


def test_a_planned_stop_requeues_its_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    job = scontrol(tmp_path, 0, "")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(runner, "REQUEUE_WAIT_S", 0)
    assert attempt(tmp_path / "a.log", *python("raise SystemExit(75)"), **job) == 75
    assert (tmp_path / "calls").read_text() == "requeue 17\n"
    assert "SLURM job 17 is requeued" in (tmp_path / "a.log").read_text()
    assert read_attempts(tmp_path / "a.log")[0].requeued


def test_a_planned_stop_outside_slurm_requeues_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    scontrol(tmp_path, 0, "")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(runner, "REQUEUE_WAIT_S", 0)
    attempt(tmp_path / "a.log", *python("raise SystemExit(75)"))
    assert not (tmp_path / "calls").exists()


def test_a_refused_requeue_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    job = scontrol(tmp_path, 1, "Requested operation is presently disabled")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert attempt(tmp_path / "a.log", *python("raise SystemExit(75)"), **job) == 75
    (found,) = read_attempts(tmp_path / "a.log")
    assert found.cause is Cause.TIME_BUDGET
    assert "not requeued (Requested operation is presently disabled)" in found.message
    assert not found.requeued


def test_the_stages_start_without_heavy_imports():
    code = "import sys, json, clairemap.attempts.runner; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.run(python(code), capture_output=True, text=True, check=True).stdout)
    assert not {"numpy", "typer", "pydantic", "clairemap.settings"} & set(loaded)


def test_time_is_recorded(tmp_path: Path):
    began = time.monotonic()
    attempt(tmp_path / "a.log", "sleep", "0.3")
    assert 0.2 <= read_attempts(tmp_path / "a.log")[0].seconds <= time.monotonic() - began + 0.1
