"""Records of a job's attempts, as lines of its log.

Each attempt of a job starts and ends with a line such as ::

    === started {"id": "0f3a", "run": "9c1e", "time": "2026-03-01T08:00:00+00:00", "host": "n1", "memory_mb": 900, ...}
    === ended {"id": "0f3a", "exit_code": 12, "peak_mb": 310, "cause": "error"}

An attempt without an end was killed; ``=== found`` adds the cause that SLURM gave later.

Snakemake deletes a job's log before each attempt. So the log has a second name, ``.west.log`` beside ``west.log``,
which is read and written here.
"""

import contextlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

STARTED, ENDED, FOUND = "=== started ", "=== ended ", "=== found "


class Cause(StrEnum):
    """Why an attempt ended."""

    DONE = "done"
    ERROR = "error"
    """An error of clairemap that a retry does not solve."""
    FAILED = "failed"
    """Any other exit code."""
    TIME_BUDGET = "time budget used"
    OUT_OF_MEMORY = "out of memory"
    TIME_LIMIT = "time limit"
    NODE_FAILURE = "node failure"
    CANCELLED = "cancelled"
    PREEMPTED = "preempted"
    TERMINATED = "terminated"
    """Ended by SIGTERM or Ctrl-C; who sent it is not known."""
    KILLED = "killed"
    """Ended by SIGKILL or without a trace; the cause is not known."""

    @property
    def is_known(self) -> bool:
        """Whether this is the final answer: SLURM may know more about the others."""
        return self not in (Cause.TERMINATED, Cause.KILLED)


@dataclass(frozen=True)
class Attempt:
    """One attempt of a job; `cause` is None if it is running or was killed."""

    id: str
    run: str = ""
    """Identifies the run of Snakemake; empty without Snakemake."""
    time: str = ""
    host: str = ""
    slurm_job: str = ""
    memory_mb: int = 0
    """Requested memory, MB; 0: unknown."""
    exit_code: int | None = None
    peak_mb: int = 0
    """Largest resident memory, MB; 0: unknown."""
    seconds: float = 0.0
    cause: Cause | None = None
    requeued: bool = False
    """Whether SLURM runs the same job again."""
    message: str = ""
    """What the stage's log says, or SLURM's state."""


NEAR_LIMIT = 0.9
"""Share of the requested memory above which an attempt killed for no known reason counts as out of memory."""

_REPORTED = re.compile(r"\(\w+Error, exit code (\d+)\)$")
_LOGGED = re.compile(r"^\S+ \S+ (?:ERROR|CRITICAL): ")

_NAMES = {field.name for field in fields(Attempt)}


def kept(log: Path) -> Path:
    """Return the name of a log that Snakemake does not delete."""
    return log.with_name(f".{log.name}")


def append(log: Path, kind: str, values: Mapping[str, Any]) -> None:
    """Append a record to a log; a full disk or a missing folder does not matter here.

    The record starts on its own line, also after an incomplete one.
    """
    with contextlib.suppress(OSError), kept(log).open("ab+") as file:
        if file.seek(0, 2):
            file.seek(-1, 2)
            gap = b"" if file.read(1) == b"\n" else b"\n"
        else:
            gap = b""
        file.write(gap + f"{kind}{json.dumps(dict(values))}\n".encode())


def read_attempts(log: Path) -> list[Attempt]:
    """Return the attempts in a log, oldest first; empty without a readable log."""
    found: dict[str, dict[str, Any]] = {}
    since: list[str] = []
    for line in read_lines(log):
        values = _values(line)
        if "id" not in values:
            since.append(line)
            continue
        message = {} if line.startswith(STARTED) else {"message": explanation(since)[0]}
        known = found.setdefault(values["id"], {})
        known.update(_added(known, {**message, **values}))
        since = [] if line.startswith(STARTED) else since
    return [_attempt(values) for values in found.values()]


def _added(known: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a record adds to earlier ones of an attempt.

    SLURM may name the cause before the attempt records its end; an end without a known cause does not replace it.
    """
    unknown = [cause for cause in Cause if not cause.is_known]
    if values.get("cause") in unknown and known.get("cause") not in (None, *unknown):
        return {key: value for key, value in values.items() if key not in ("cause", "message")}
    return dict(values)


def read_lines(log: Path, start: int = 0) -> list[str]:
    """Return the lines of a log from byte `start`; empty without a readable log."""
    try:
        with kept(log).open("rb") as file:
            file.seek(start)
            return file.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _values(line: str) -> dict[str, Any]:
    """Return the values of a record line; empty for any other line."""
    for kind in (STARTED, ENDED, FOUND):
        if line.startswith(kind):
            with contextlib.suppress(json.JSONDecodeError):
                values = json.loads(line.removeprefix(kind))
                return values if isinstance(values, dict) else {}
    return {}


def _attempt(values: Mapping[str, Any]) -> Attempt:
    known = {name: value for name, value in values.items() if name in _NAMES}
    cause = known.get("cause")
    return Attempt(**{**known, "cause": Cause(cause) if cause in list(Cause) else None})


def explanation(lines: Sequence[str]) -> tuple[str, int | None]:
    """Return the message that explains an attempt's failure, and the exit code that it reports, if any.

    The message is that of the last error of clairemap, else the last line that is not empty.
    """
    for end in reversed(range(len(lines))):
        if found := _REPORTED.search(lines[end]):
            begin = next((line for line in reversed(range(end + 1)) if _LOGGED.match(lines[line])), end)
            return _LOGGED.sub("", " ".join(line.strip() for line in lines[begin : end + 1])), int(found[1])
    return _LOGGED.sub("", next((line.strip() for line in reversed(lines) if line.strip()), "")), None
