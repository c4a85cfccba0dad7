"""Records of the Snakemake processes that run in a folder, and of the folders that they write to.

They are in ``.snakemake/clairemap``. A process writes its record when it locks the folder and removes it when it ends.
A record that remains belongs to a process that is still running or was killed.
"""

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from clairemap.provenance import json_digest, write_text_whole

HEARTBEAT_S = 30.0
"""Time between two signs of life of a running process, seconds."""

SILENCE_S = 300.0
"""A process on another host without a sign of life for this long has ended, seconds."""


def state_folder(folder: Path) -> Path:
    """Return the folder of the records of a Snakemake folder."""
    return folder / ".snakemake" / "clairemap"


@dataclass(frozen=True)
class Places:
    """Where the runs of a folder write: the work folder, and the results folder of each region."""

    work_dir: str
    results: tuple[str, ...]

    def remember(self, folder: Path) -> None:
        """Record the places of a run, for `places_of`."""
        text = json.dumps(asdict(self), sort_keys=True)
        target = state_folder(folder) / "places" / f"{json_digest(asdict(self))}.json"
        if not target.exists():
            write_text_whole(target, text)

    def results_of(self, outputs: Iterable[str]) -> list[Path]:
        """Return the results folders that contain some of these outputs, sorted."""
        known = {str(Path(folder)) for folder in self.results}
        return sorted(Path(folder) for folder in known & {output.rpartition("/")[0] for output in outputs})


def places_of(folder: Path) -> list[Places]:
    """Return the places that all runs of a folder have written to."""
    found = [_read_object(path) for path in sorted((state_folder(folder) / "places").glob("*.json"))]
    return [Places(str(each["work_dir"]), tuple(each["results"])) for each in found if each]


@dataclass(frozen=True)
class Controller:
    """A Snakemake process that schedules jobs; `namespace` and `ticks` tell it from a later one with its number."""

    host: str
    pid: int
    namespace: str
    ticks: str
    started: float

    @classmethod
    def this_process(cls) -> Self:
        """Return the record of this process."""
        pid = os.getpid()
        return cls(socket.gethostname(), pid, _namespace(), start_ticks(pid), time.time())

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Return the record in a JSON object; keys of other versions are ignored, missing ones are unknown."""
        return cls(
            host=str(content.get("host", "unknown host")),
            pid=int(content.get("pid", 0)),
            namespace=str(content.get("namespace", "")),
            ticks=str(content.get("ticks", "")),
            started=float(content.get("started", 0.0)),
        )

    @property
    def described(self) -> str:
        """Host, number and start, for messages."""
        start = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.started))
        return f"process {self.pid} on {self.host}, started {start}"


@dataclass(frozen=True)
class Found:
    """A record in a folder."""

    path: Path
    controller: Controller

    def is_alive(self) -> bool:
        """Whether the process runs. On another host: whether it gave a sign of life within SILENCE_S."""
        process = self.controller
        if (process.host, process.namespace) == (socket.gethostname(), _namespace()):
            return process.ticks != "" and start_ticks(process.pid) == process.ticks
        return self.silent_s() < SILENCE_S

    def silent_s(self) -> float:
        """Time since the last sign of life, seconds, by the clock of the file system."""
        probe = self.path.with_name(f".{uuid.uuid4().hex}.probe")
        try:
            probe.touch()
            return probe.stat().st_mtime - self.path.stat().st_mtime
        except FileNotFoundError:
            return SILENCE_S
        finally:
            probe.unlink(missing_ok=True)


def controllers_of(folder: Path) -> list[Found]:
    """Return the records of processes that run in a folder or were killed there."""
    records = sorted((state_folder(folder) / "controllers").glob("*.json"))
    return [Found(path, Controller.from_json(content)) for path in records if (content := _read_object(path))]


@contextmanager
def registered(folder: Path) -> Iterator[None]:
    """Keep a record of this process with regular signs of life until the end of the block."""
    process = Controller.this_process()
    path = state_folder(folder) / "controllers" / f"{process.host}.{process.pid}.json"
    write_text_whole(path, json.dumps(asdict(process)))
    ended = threading.Event()
    threading.Thread(target=_give_signs_of_life, args=(path, ended), daemon=True).start()
    try:
        yield
    finally:
        ended.set()
        path.unlink(missing_ok=True)


def _give_signs_of_life(path: Path, ended: threading.Event) -> None:
    while not ended.wait(HEARTBEAT_S):
        try:
            os.utime(path)
        except OSError:
            continue


def _namespace() -> str:
    """Return what tells hosts of one name, restarts and containers apart; empty without /proc."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def start_ticks(pid: int) -> str:
    """Return the start of a process since the host's start, in clock ticks; empty if it does not run."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def _read_object(path: Path) -> dict[str, Any]:
    """Return a JSON object; empty if the file is absent or incomplete."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
