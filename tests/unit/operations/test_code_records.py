"""Records of the code that made results."""

from pathlib import Path

import clairemap
from clairemap import provenance
from clairemap.operations.code_records import CodeRecords, changed_definitions, definitions_text

SCRIPT = Path(__file__).parents[3] / "workflow" / "scripts" / "check_radiometry.py"


def test_a_record_is_written_once(tmp_path: Path):
    records = CodeRecords(tmp_path)
    assert records.read("check_radiometry", "abc") is None
    records.add("check_radiometry", "abc", SCRIPT)
    record = records.read("check_radiometry", "abc")
    assert record is not None and record.version == clairemap.__version__
    assert record.definitions == provenance.stage_definitions(SCRIPT) and record.definitions
    path = records.path("check_radiometry", "abc")
    before = path.stat().st_mtime_ns
    records.add("check_radiometry", "abc", SCRIPT)
    assert path.stat().st_mtime_ns == before


def test_a_damaged_record_counts_as_none(tmp_path: Path):
    records = CodeRecords(tmp_path)
    path = records.path("rule", "abc")
    path.parent.mkdir(parents=True)
    path.write_text("{")
    assert records.read("rule", "abc") is None


def test_changed_new_and_removed_definitions_are_named():
    old = {"clairemap.a.f": "1", "clairemap.a.g": "1", "clairemap.a.h": "1"}
    new = {"clairemap.a.f": "2", "clairemap.a.g": "1", "clairemap.a.new": "1"}
    changed = changed_definitions(old, new)
    assert changed == ["clairemap.a.f", "+clairemap.a.new", "-clairemap.a.h"]
    assert definitions_text(changed) == "a.f, +a.new, -a.h"
    assert definitions_text([f"clairemap.f{i}" for i in range(6)]) == "f0, f1, f2, f3 and 2 more"
