from collections.abc import Callable
from pathlib import Path

import pytest

from clairemap.attempts import policy, slurm
from clairemap.attempts.policy import grown_mb, is_permanent, last_attempt, next_memory_mb
from clairemap.attempts.records import ENDED, STARTED, Attempt, Cause, append, read_attempts
from clairemap.attempts.slurm import SlurmJob

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that adds attempts to a log: ``write(Cause.DONE, None)``; None is one without an end."""

    def add(*causes: Cause | None, run: str = "r", memory_mb: int = 1000, peak_mb: int = 100) -> Path:
        log = tmp_path / "west.log"
        for cause in causes:
            name = str(len(read_attempts(log)))
            append(log, STARTED, {"id": name, "run": run, "host": "n1", "slurm_job": "17", "memory_mb": memory_mb})
            if cause is not None:
                append(log, ENDED, {"id": name, "exit_code": 1, "cause": cause, "peak_mb": peak_mb})
        return log

    return add


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> Callable[[SlurmJob | None], None]:
    """Return a function that sets SLURM's answer."""
    return lambda job: monkeypatch.setattr(slurm, "find_job", lambda _: job)


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("OUT_OF_MEMORY", Cause.OUT_OF_MEMORY),
        ("TIMEOUT", Cause.TIME_LIMIT),
        ("NODE_FAIL", Cause.NODE_FAILURE),
        ("CANCELLED", Cause.CANCELLED),
        ("FAILED", Cause.KILLED),
    ],
)
def test_slurm_says_why_an_attempt_has_no_end(write: Write, state: Callable[..., None], name: str, cause: Cause):
    state(SlurmJob(name, "n1", 300))
    log = write(None)
    found = last_attempt(log, "r")
    assert found is not None
    assert (found.cause, found.peak_mb) == (cause, 300)
    state(None)  # it is in the log now
    assert [attempt.cause for attempt in read_attempts(log)] == [cause]


def test_slurm_says_who_terminated_an_attempt(write: Write, state: Callable[..., None]):
    state(SlurmJob("TIMEOUT", "n1"))
    found = last_attempt(write(Cause.TERMINATED), "r")
    assert found is not None and found.cause is Cause.TIME_LIMIT and "SLURM job 17 on n1: TIMEOUT" in found.message


def test_an_attempt_that_knows_its_cause_needs_no_slurm(write: Write, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(slurm, "find_job", lambda _: pytest.fail("asked"))
    found = last_attempt(write(Cause.ERROR), "r")
    assert found is not None and found.cause is Cause.ERROR


def test_killed_near_the_limit_counts_as_out_of_memory(write: Write, state: Callable[..., None]):
    state(SlurmJob("FAILED", "n1", 950))
    found = last_attempt(write(Cause.KILLED), "r")
    assert found is not None and (found.cause, found.peak_mb) == (Cause.OUT_OF_MEMORY, 950)


def test_terminated_near_the_limit_is_not_out_of_memory(write: Write, state: Callable[..., None]):
    state(SlurmJob("COMPLETED", "n1", 950))
    found = last_attempt(write(Cause.TERMINATED), "r")
    assert found is not None and found.cause is Cause.TERMINATED


def test_a_log_on_a_full_disk_says_so(write: Write, state: Callable[..., None], monkeypatch: pytest.MonkeyPatch):
    state(None)
    log = write(None)
    monkeypatch.setattr(policy, "free_mb", lambda _: 0.0)
    found = last_attempt(log, "r")
    assert found is not None and is_permanent(found) and f"{log}: no space left on" in found.message


def test_a_job_that_did_not_start_in_this_run_has_no_attempt(write: Write):
    assert last_attempt(write(Cause.ERROR, run="earlier"), "r") is None


def test_a_node_without_the_variable_of_the_run_counts(write: Write):
    assert is_permanent(last_attempt(write(Cause.ERROR, run=""), "r"))


def test_only_errors_are_permanent():
    assert [cause for cause in Cause if is_permanent(Attempt("a", cause=cause))] == [Cause.ERROR]
    assert not is_permanent(None)


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([], 1000),
        ([(1000, Cause.FAILED)], 1000),
        ([(1000, Cause.TIME_BUDGET), (1000, Cause.NODE_FAILURE), (1000, Cause.TIME_LIMIT)], 1000),
        ([(1000, Cause.OUT_OF_MEMORY)], 2000),
        ([(1000, Cause.OUT_OF_MEMORY), (2000, Cause.NODE_FAILURE)], 2000),
        ([(1000, Cause.OUT_OF_MEMORY), (2000, Cause.OUT_OF_MEMORY)], 4000),
        ([(2000, Cause.OUT_OF_MEMORY), (1000, Cause.OUT_OF_MEMORY)], 4000),
    ],
)
def test_memory_grows_only_after_an_attempt_without_enough(history: list[tuple[int, Cause]], expected: int):
    attempts = [Attempt("a", memory_mb=memory_mb, cause=cause) for memory_mb, cause in history]
    assert grown_mb(1000, attempts) == expected


def test_the_first_attempt_of_a_run_reads_nothing(tmp_path: Path):
    assert next_memory_mb(1000, tmp_path, "r", 1) == 1000


def test_the_second_attempt_reads_the_log(write: Write):
    log = write(Cause.OUT_OF_MEMORY, run="earlier", memory_mb=9000)
    assert next_memory_mb(1000, log, "r", 2) == 1000
    assert next_memory_mb(1000, write(Cause.OUT_OF_MEMORY), "r", 2) == 2000
