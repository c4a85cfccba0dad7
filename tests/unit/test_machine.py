import os
from pathlib import Path

import pytest

from clairemap.errors import SettingsError
from clairemap.machine import check_gpus


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
