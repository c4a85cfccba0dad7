import json
from pathlib import Path

from clairemap.attempts.records import ENDED, FOUND, STARTED, Attempt, Cause, append, explanation, kept, read_attempts


def test_attempts_are_read_from_the_log_with_the_message_of_each(tmp_path: Path):
    log = tmp_path / "west.log"
    append(log, STARTED, {"id": "a", "run": "r", "host": "n1", "memory_mb": 900})
    with kept(log).open("a") as file:
        file.write(
            "2026-03-01 08:00:00,123 ERROR: sar.tif: truncated\n  at 7\n(UnreadableFileError, exit code 13)\nnoise"
        )
    append(log, ENDED, {"id": "a", "exit_code": 13, "cause": "error", "peak_mb": 10})
    append(log, STARTED, {"id": "b", "run": "r"})
    append(log, FOUND, {"id": "b", "cause": "node failure", "message": "n1 went down"})
    append(log, STARTED, {"id": "c", "run": "r"})
    first, second, third = read_attempts(log)
    message = "sar.tif: truncated at 7 (UnreadableFileError, exit code 13)"
    assert first == Attempt(
        "a", "r", host="n1", memory_mb=900, exit_code=13, cause=Cause.ERROR, peak_mb=10, message=message
    )
    assert (second.cause, second.message) == (Cause.NODE_FAILURE, "n1 went down")
    assert third.cause is None


def test_a_cause_from_slurm_stays_if_the_end_is_recorded_later(tmp_path: Path):
    log = tmp_path / "west.log"
    append(log, STARTED, {"id": "a", "run": "r"})
    append(log, FOUND, {"id": "a", "cause": "killed", "message": ""})
    append(log, ENDED, {"id": "a", "exit_code": 143, "cause": "terminated"})
    append(log, STARTED, {"id": "b", "run": "r"})
    append(log, FOUND, {"id": "b", "cause": "cancelled", "message": "SLURM job 7 on n1: CANCELLED"})
    append(log, ENDED, {"id": "b", "exit_code": 143, "cause": "terminated"})
    first, second = read_attempts(log)
    assert first.cause is Cause.TERMINATED
    assert (second.exit_code, second.cause, second.message) == (143, Cause.CANCELLED, "SLURM job 7 on n1: CANCELLED")


def test_a_record_starts_on_its_own_line(tmp_path: Path):
    log = tmp_path / "west.log"
    kept(log).write_text("half a li")
    append(log, ENDED, {"id": "a"})
    assert kept(log).read_text() == 'half a li\n=== ended {"id": "a"}\n'


def test_records_of_other_versions_and_damaged_ones_are_accepted(tmp_path: Path):
    log = tmp_path / "west.log"
    values = json.dumps({"id": "a", "cause": "new cause", "new key": 1})
    kept(log).write_bytes(f"{STARTED}{values}\n{ENDED}{{broken\n{ENDED}[]\n".encode() + b"\xff\xfe\n")
    assert read_attempts(log) == [Attempt("a")]
    assert read_attempts(tmp_path / "missing.log") == []


def test_a_record_is_not_written_where_that_is_impossible(tmp_path: Path):
    append(tmp_path / "missing" / "west.log", STARTED, {"id": "a"})
    assert not list(tmp_path.iterdir())


def test_explanations():
    launcher = [
        "1 2 ERROR: saved (TimeBudgetError, exit code 75)",
        "srun: error: node1: task 0: Exited with exit code 75",
    ]
    assert explanation(launcher) == ("saved (TimeBudgetError, exit code 75)", 75)
    assert explanation(["Traceback", "  File", "KeyError: 'x'", ""]) == ("KeyError: 'x'", None)
    assert explanation([]) == ("", None)
