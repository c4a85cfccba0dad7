"""Stages run by hand with incomplete settings."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("settings", "words"), [("{", "not valid JSON"), ("{}", "registration is missing"), ("", "not valid JSON")]
)
def test_incomplete_settings_are_an_error(tmp_path: Path, settings: str, words: str):
    script = PROJECT / "workflow" / "scripts" / "register_pair.py"
    options = ["--scene", "a", "--registration", str(tmp_path / "r.json"), "--settings", settings]
    run = subprocess.run(
        [sys.executable, str(script), *options],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT / "src")},
        check=False,
    )
    assert run.returncode == 10
    assert words in run.stderr and "SettingsError" in run.stderr
    assert "Traceback" not in run.stderr and "pydantic" not in run.stderr
