import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch

from clairemap.inference import devices
from clairemap.inference.devices import choose_devices


@pytest.fixture(autouse=True)
def four_gpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    free = {0: 10e9, 1: 70e9, 2: 5e9, 3: 75e9}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(free))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (free[index], 80e9))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: f"gpu {index}")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(devices, "_reserved", [])


def test_gpus_with_most_free_memory_are_used():
    assert choose_devices("cuda", 2) == (torch.device("cuda", 3), torch.device("cuda", 1))
    assert choose_devices("cpu", 2) == (torch.device("cpu"),)


def test_a_reserved_gpu_is_left_to_its_job(tmp_path: Path):
    """The other job is another process; its reservation ends with it."""
    hold = (
        "import fcntl, sys; file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX); print(); sys.stdin.read()"
    )
    lock = next(iter(choose_devices("auto"))) and next(tmp_path.glob("*-gpu-3.lock"))
    devices._reserved.clear()
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        other.stdout.readline()
        assert choose_devices("auto") == (torch.device("cuda", 1),)
        other.communicate()
    assert choose_devices("auto") == (torch.device("cuda", 3),)


def test_gpus_are_shared_if_too_few_are_left(caplog: pytest.LogCaptureFixture):
    assert len(choose_devices("cuda", 9)) == 4
    assert choose_devices("auto") == (torch.device("cuda", 3),)
    assert "other jobs use 4 of 4 GPUs: sharing" in caplog.text
