"""Run one attempt of a job: its errors go to the log, its start and end are recorded there.

``python -m clairemap.attempts --log tile_scene/west.log --memory-mb 900 python tile_scene.py --scene west …`` exits
with the command's exit code. A planned stop of training inside a SLURM job requeues that job.
"""

import argparse
import contextlib
import ctypes
import os
import resource
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from clairemap.attempts import slurm
from clairemap.attempts.processes import memory_kills, resident_mb
from clairemap.attempts.records import (
    ENDED,
    FOUND,
    NEAR_LIMIT,
    STARTED,
    Attempt,
    Cause,
    append,
    explanation,
    kept,
    read_attempts,
    read_lines,
)
from clairemap.errors import ClairemapError, MemoryLimitError, TimeBudgetError

RUN_VARIABLE = "CLAIREMAP_RUN"
"""Environment variable that identifies the run of Snakemake; SLURM passes it to the jobs."""

POLL_S = 1.0
"""Time between two measurements of memory, seconds."""

REQUEUE_WAIT_S = 120
"""Time in which SLURM ends a job that it has requeued, seconds."""

_PR_SET_PDEATHSIG = 1
_OWN_CODES = {error.exit_code for error in ClairemapError.__subclasses__()}
_SIGKILL, _SIGTERM, _SIGINT = (128 + number for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT))


@dataclass(frozen=True)
class _Ending:
    """Exit code and largest memory of a command, and whether the kernel killed a process for memory meanwhile."""

    code: int
    peak_mb: int
    memory_killed: bool


def run(log: Path, memory_mb: int, command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command as an attempt of a job, and return its exit code.

    Args:
        log: gets the command's standard error, after the records and messages of earlier attempts in this run.
        memory_mb: memory that was requested for the job; 0: unknown.
        command: the command and its arguments.
        environment: variables of the run and of SLURM.
    """
    run_name, job = environment.get(RUN_VARIABLE, ""), environment.get("SLURM_JOB_ID", "")
    prepare_log(log, run_name)
    attempt = Attempt(uuid.uuid4().hex[:8], run_name, _now(), socket.gethostname(), job, memory_mb)
    started = {"id": attempt.id, "run": run_name, "time": attempt.time, "host": attempt.host}
    append(log, STARTED, {**started, "slurm_job": job, "memory_mb": memory_mb})
    start = kept(log).stat().st_size
    began = time.monotonic()
    ending = _run_command(log, command)
    _, reported = explanation(read_lines(log, start))
    # A launcher such as srun may replace the stage's exit code by another one.
    code = reported if reported in _OWN_CODES and ending.code not in (0, *_OWN_CODES) else ending.code
    cause = cause_of(code, ending, memory_mb)
    ended = {"exit_code": code, "peak_mb": ending.peak_mb, "seconds": round(time.monotonic() - began, 1)}
    append(log, ENDED, {"id": attempt.id, **ended, "cause": cause})
    if cause is Cause.TIME_BUDGET and job:
        _requeue(log, attempt.id, job)
    return code


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def prepare_log(log: Path, run_name: str) -> None:
    """Give the log of this run its two names; that of an earlier run becomes ``*.previous.log``."""
    log.parent.mkdir(parents=True, exist_ok=True)
    attempts = read_attempts(log)
    if run_name and attempts and attempts[-1].run != run_name:
        kept(log).replace(log.with_name(f"{log.name.removesuffix('.log')}.previous.log"))
    kept(log).touch()
    log.unlink(missing_ok=True)
    try:
        log.hardlink_to(kept(log))
    except OSError:  # not possible on every file system
        log.symlink_to(kept(log).name)


def _run_command(log: Path, command: Sequence[str]) -> _Ending:
    """Run the command until it ends; pass SIGTERM on to it. Ctrl-C reaches it from the terminal."""
    kills = memory_kills()
    with kept(log).open("ab") as errors, subprocess.Popen(command, stderr=errors, preexec_fn=_end_with_parent) as child:

        def pass_on(number: int, _frame: FrameType | None) -> None:
            if number == signal.SIGTERM:
                child.send_signal(number)

        before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
        peak_mb = 0
        while True:
            peak_mb = max(peak_mb, resident_mb(child.pid))
            try:
                code = child.wait(POLL_S)
                break
            except subprocess.TimeoutExpired:
                continue
    for number, handler in before.items():
        signal.signal(number, handler)
    kills_after = memory_kills()
    killed = kills is not None and kills_after is not None and kills_after > kills
    unit = 1 if sys.platform == "darwin" else 1024
    largest_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit // (1 << 20)
    return _Ending(code if code >= 0 else 128 - code, max(peak_mb, largest_mb), killed)


def _end_with_parent() -> None:
    """Let the kernel send SIGTERM to this process when its parent is killed (Linux only)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))


def cause_of(code: int, ending: _Ending, memory_mb: int) -> Cause:
    """Return why an attempt ended, as far as it can be seen on the machine itself."""
    if code == 0:
        return Cause.DONE
    if code == TimeBudgetError.exit_code:
        return Cause.TIME_BUDGET
    if code == MemoryLimitError.exit_code or (code not in _OWN_CODES and ending.memory_killed):
        return Cause.OUT_OF_MEMORY
    if code in _OWN_CODES:
        return Cause.ERROR
    if code == _SIGKILL:
        return Cause.OUT_OF_MEMORY if ending.peak_mb > NEAR_LIMIT * memory_mb > 0 else Cause.KILLED
    return Cause.TERMINATED if code in (_SIGTERM, _SIGINT) else Cause.FAILED


def _requeue(log: Path, attempt: str, job: str) -> None:
    """Requeue the SLURM job of a planned stop, and wait until SLURM ends it; if it refuses, log why."""
    refusal = slurm.requeue(job)
    if refusal is None:
        append(
            log,
            FOUND,
            {"id": attempt, "requeued": True, "message": f"SLURM job {job} is requeued and resumes training"},
        )
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        time.sleep(REQUEUE_WAIT_S)
        return
    refused = f"SLURM job {job} was not requeued ({refusal}); Snakemake submits it again unless its retries are 0"
    append(log, FOUND, {"id": attempt, "message": refused})


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, run the command, and exit with its exit code."""
    parser = argparse.ArgumentParser(prog="python -m clairemap.attempts", description="run one attempt of a job")
    parser.add_argument("--log", type=Path, required=True, help="log of the job")
    parser.add_argument("--memory-mb", type=int, default=0, help="requested memory, MB (0: unknown)")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="the command and its arguments")
    given = parser.parse_args(arguments)
    try:
        code = run(given.log, given.memory_mb, given.command, os.environ)
    except OSError as error:
        sys.stderr.write(f"{given.log}: {error}\n")
        code = 1
    raise SystemExit(code)
