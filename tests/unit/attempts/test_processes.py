"""Memory of processes and kills for memory, as the kernel shows them."""

import os
from pathlib import Path

import pytest

from clairemap.attempts import processes


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with ``proc`` and ``cgroup`` in place of the kernel's."""
    monkeypatch.setattr(processes, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(processes, "_CGROUPS", tmp_path / "cgroup")
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_memory_of_descendants_counts(kernel: Path):
    pages = (1 << 20) // os.sysconf("SC_PAGE_SIZE")
    for pid, megabytes, children in (("7", 100, "8 9"), ("8", 20, "10"), ("9", 3, ""), ("10", 5, ""), ("11", 50, "")):
        write(kernel / "proc" / pid / "statm", f"999999 {megabytes * pages} 1")
        write(kernel / "proc" / pid / "task" / pid / "children", children)
    assert processes.resident_mb(7) == 128
    assert processes.resident_mb(12) == 0


@pytest.mark.parametrize(
    ("membership", "counter"),
    [
        ("0::/slurm/job_7\n", "slurm/job_7/memory.events"),
        ("3:cpu,cpuacct:/a\n2:memory:/slurm/job_7\n", "memory/slurm/job_7/memory.oom_control"),
    ],
    ids=["version 2", "version 1"],
)
def test_kills_for_memory_are_counted_in_the_control_group(kernel: Path, membership: str, counter: str):
    write(kernel / "proc" / "self" / "cgroup", membership)
    assert processes.memory_kills() is None
    write(kernel / "cgroup" / counter, "oom 5\noom_kill 2\n")
    assert processes.memory_kills() == 2


@pytest.mark.usefixtures("kernel")
def test_without_a_control_group_kills_are_unknown():
    assert processes.memory_kills() is None
