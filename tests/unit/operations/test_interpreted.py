from pathlib import Path

import pytest

from clairemap.errors import SampleError
from clairemap.operations.interpreted import has_answers, interpreted_regions
from clairemap.plan import Plan

SHEET = "scene,region,split,optical,sar,label\nwest,north,train,a.tif,b.tif,c.tif\neast,south,predict,d.tif,e.tif,\n"


def plan_of(folder: Path, interpreted: str | None) -> Plan:
    (folder / "scenes.csv").write_text(SHEET)
    settings = {"scenes": str(folder / "scenes.csv"), "data_dir": str(folder), "accuracy": {"interpreted": interpreted}}
    return Plan.read(settings, folder)


def test_a_region_has_answers_if_its_file_exists_or_a_rule_makes_it(tmp_path: Path):
    plan = plan_of(tmp_path, f"{tmp_path}/{{region}}.csv")
    (tmp_path / "north.csv").touch()
    assert has_answers(plan, "north") and not has_answers(plan, "south")
    assert has_answers(plan, "south", made=[f"{tmp_path}/south.csv"])
    assert not has_answers(plan_of(tmp_path, None), "north")


def test_regions_without_answers_are_reported(tmp_path: Path):
    plan = plan_of(tmp_path, f"{tmp_path}/{{region}}.csv")
    with pytest.raises(SampleError, match=r"south\.csv, .*north\.csv does not exist"):
        interpreted_regions(plan, lambda _: None)
    warnings: list[str] = []
    assert interpreted_regions(plan, warnings.append, made=[f"{tmp_path}/south.csv"]) == ["south"]
    assert len(warnings) == 1 and "No estimates for north" in warnings[0]
