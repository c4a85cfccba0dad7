import os
from pathlib import Path

import pytest

from clairemap.errors import SettingsError
from clairemap.machine import check_folder, check_gpus, check_writable, count_gpus


def fake_python(folder: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    python = folder / "python"
    python.write_text(f"#!/bin/sh\nexit {code}\n")
    python.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.parametrize(("code", "required"), [(101, 1), (104, 4), (108, 4), (1, 1)])
def test_enough_gpus_or_no_torch_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, required: int):
    fake_python(tmp_path, monkeypatch, code)
    check_gpus(required)


@pytest.mark.parametrize(
    ("code", "required", "words"),
    [(100, 1, "sees no GPU here; set it to auto or cpu"), (102, 4, r"training_processes is 4, but PyTorch sees 2 GPU")],
)
def test_too_few_gpus_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, required: int, words: str
):
    fake_python(tmp_path, monkeypatch, code)
    with pytest.raises(SettingsError, match=words):
        check_gpus(required)


@pytest.mark.parametrize(
    ("visible", "listed", "expected"),
    [(None, 4, 4), ("0,2", 4, 2), ("", 4, 1), ("-1", 4, 1), (None, 0, 1), ("GPU-1a,GPU-2b,GPU-3c", 4, 3)],
)
def test_gpus_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, visible: str | None, listed: int, expected: int
):
    lines = "".join(f"echo 'GPU {index}: NVIDIA A100'\necho '  MIG 1g'\n" for index in range(listed))
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{lines}")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert count_gpus() == expected


def test_a_machine_without_nvidia_smi_counts_as_one_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert count_gpus() == 1


def test_folders_are_created_and_tried(tmp_path: Path):
    check_folder("work_dir", tmp_path / "new" / "work")
    assert not (tmp_path / "new").exists()
    check_writable("work_dir", tmp_path / "new" / "work")
    assert list((tmp_path / "new" / "work").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"results_dir: .*file is a file"):
        check_folder("results_dir", tmp_path / "file" / "results")
    with pytest.raises(SettingsError, match=r"results_dir: nothing can be written to /proc/results"):
        check_writable("results_dir", Path("/proc/results"))
