import os
from pathlib import Path

import pytest

from clairemap.errors import SettingsError
from clairemap.machine import check_gpus


def answering(folder: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    python = folder / "python"
    python.write_text(f"#!/bin/sh\nexit {code}\n")
    python.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.parametrize(("code", "wanted"), [(101, 1), (104, 4), (108, 4), (1, 1)])
def test_enough_gpus_or_no_torch_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, wanted: int):
    answering(tmp_path, monkeypatch, code)
    check_gpus(wanted)


@pytest.mark.parametrize(
    ("code", "wanted", "words"),
    [(100, 1, "sees no GPU here; set it to auto or cpu"), (102, 4, r"training_processes is 4, but PyTorch sees 2 GPU")],
)
def test_too_few_gpus_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, wanted: int, words: str):
    answering(tmp_path, monkeypatch, code)
    with pytest.raises(SettingsError, match=words):
        check_gpus(wanted)
