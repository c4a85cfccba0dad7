from pathlib import Path

import pytest

from clairemap.artefacts.audit import Leakage, SplitAudit, read_audit, write_audit
from clairemap.errors import StoreError


def test_round_trip(tmp_path: Path):
    audit = SplitAudit(
        "block", {"train": 3, "test": 1}, {"test": Leakage(7, 0.25, 1, ("b 0/0 = a 0/0 (sar)",))}, ("c",)
    )
    write_audit(tmp_path / "audit.json", audit)
    assert read_audit(tmp_path / "audit.json") == audit


@pytest.mark.parametrize("content", [None, "{}", "["])
def test_damaged_file_is_an_error(tmp_path: Path, content: str | None):
    path = tmp_path / "audit.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(StoreError, match=r"(?s)audit\.json: .*audit_splits"):
        read_audit(path)
