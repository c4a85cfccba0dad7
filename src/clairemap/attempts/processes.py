"""Memory of a job's processes, and whether the kernel killed one of them for memory."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")
_MB = 1 << 20


def resident_mb(pid: int) -> int:
    """Return the resident memory of a process and its descendants, MB; 0 where it cannot be read."""
    pages = 0
    for process in _tree(pid):
        with contextlib.suppress(OSError, ValueError, IndexError):
            pages += int((_PROC / str(process) / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // _MB


def _tree(pid: int) -> Iterator[int]:
    """Yield a process and its descendants, as far as the kernel lists them."""
    yield pid
    with contextlib.suppress(OSError):
        for task in (_PROC / str(pid) / "task").iterdir():
            with contextlib.suppress(OSError):
                for child in (task / "children").read_text().split():
                    yield from _tree(int(child))


def memory_kills() -> int | None:
    """Return how often the kernel killed a process of this one's control group for memory; None if unknown."""
    with contextlib.suppress(OSError, ValueError):
        for line in (_PROC / "self" / "cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                counter = _CGROUPS / path.lstrip("/") / "memory.events"
            elif "memory" in controllers.split(","):
                counter = _CGROUPS / "memory" / path.lstrip("/") / "memory.oom_control"
            else:
                continue
            if (count := _count(counter)) is not None:
                return count
    return None


def _count(counter: Path) -> int | None:
    """Return the value after `oom_kill` in a file of the control group; None without the file or the value."""
    with contextlib.suppress(OSError, ValueError):
        for line in counter.read_text().splitlines():
            name, value = line.split()
            if name == "oom_kill":
                return int(value)
    return None
