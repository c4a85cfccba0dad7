"""The record of a run's end."""

from pathlib import Path

import pytest

from clairemap.errors import DiskFullError
from clairemap.operations import run_record


@pytest.mark.parametrize("error", [DiskFullError("no space left"), PermissionError("read-only")])
def test_an_end_that_cannot_be_recorded_hides_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    def fail(*_: object) -> None:
        raise error

    run_record.record_end(tmp_path, failed=True)
    monkeypatch.setattr(run_record, "write_text_whole", fail)
    run_record.record_end(tmp_path, failed=False)
    assert run_record.read_end(tmp_path) == run_record.RunEnd(failed=True)
