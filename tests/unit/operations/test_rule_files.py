from pathlib import Path
from typing import Any

import pytest
from snakemake.common import get_function_params
from snakemake.iocontainers import Wildcards

from clairemap.operations.rule_files import RuleFiles
from clairemap.operations.rule_sources import RuleSources
from clairemap.operations.source_files import SourceFiles
from clairemap.plan import Plan, is_labelled
from clairemap.scenes import SampleSheet

SHEET = """scene,region,split,optical,sar,label
a,north,train,a.tif,demo/a/sar.tif,a.gpkg
b,north,val,b.tif,b_sar.tif,b_label.tif
c,north,test,B04.tif;B03.tif,,c_label.tif
d,south,predict,,d_sar.tif,
"""


def plan(folder: Path, **settings: object) -> Plan:
    sheet = folder / "scenes.csv"
    sheet.write_text(SHEET)
    bands = {"optical": {"bands": ["red", "green"]}}
    return Plan.read({"scenes": str(sheet), "sensors": bands, "work_dir": str(folder), **settings}, Path("/checkout"))


def sources(folder: Path) -> RuleSources:
    found = plan(folder)
    sensors = found.settings.sensors
    return RuleSources(found, SourceFiles(found.sheet, sensors, folder, Path("demo"), pytest.fail, pytest.fail))


def job(**wildcards: str) -> Any:  # noqa: ANN401
    return Wildcards(fromdict=wildcards)


def test_files_of_the_scenes_of_a_region_or_map(tmp_path: Path):
    files = RuleFiles(plan(tmp_path))
    assert files.of_scenes("{scene}/x")(job(region="north")) == ["a/x", "b/x", "c/x"]
    assert files.of_scenes(Path("{scene}/x"), chosen=is_labelled)(job(region="south")) == []
    assert files.of_scenes("{scene}/{view}", "optical", "sar")(job(region="south")) == ["d/optical", "d/sar"]
    own_maps = RuleFiles(plan(tmp_path, mosaic={"grid": "scene"}))
    assert own_maps.of_scenes("{scene}/x")(job(region="north", map="b")) == ["b/x"]


def test_files_of_the_training_and_the_audit(tmp_path: Path):
    files = RuleFiles(plan(tmp_path))
    assert files.of_training("{scene}/x")(job()) == ["a/x", "b/x"]
    assert files.of_training("{scene}/x", lambda plan: plan.train)(job()) == ["a/x"]
    assert files.of_audit("{scene}/x")(job(region="north")) == ["a/x", "b/x", "c/x"]
    assert files.of_labelled_regions("{region}/x")(job()) == ["north/x"]


@pytest.mark.parametrize(("grid", "maps"), [("region", ["north/north"]), ("scene", ["north/a", "north/b", "north/c"])])
def test_files_of_the_maps_of_a_region(tmp_path: Path, grid: str, maps: list[str]):
    files = RuleFiles(plan(tmp_path, mosaic={"grid": grid}))
    assert files.of_maps("{region}/{map}")(job(region="north")) == maps


def test_results_are_those_of_all_regions(tmp_path: Path):
    found = RuleFiles(plan(tmp_path)).results(Path("r/{region}/{map}.tif"), "r/{region}/{map}.json")(job())
    assert found[:3] == [f"results/north/{name}" for name in ("report.html", "metrics.json", "north.qgs")]
    assert found[3:6] == [f"results/south/{name}" for name in ("report.html", "metrics.json", "south.qgs")]
    assert found[6:] == [f"r/{name}/{name}.{end}" for name in ("north", "south") for end in ("tif", "json")]


def test_accepted_records(tmp_path: Path):
    files = RuleFiles(plan(tmp_path))
    assert files.accepted() == []
    (tmp_path / "accepted").mkdir()
    for name in ("tile_scene.json", "burn_labels.json"):
        (tmp_path / "accepted" / name).touch()
    assert [path.name for path in files.accepted()] == ["burn_labels.json", "tile_scene.json"]


def test_only_simulated_files_are_inputs(tmp_path: Path):
    assert sources(tmp_path).made("optical", "sar")(job(scene="a")) == ["demo/a/sar.tif"]


def test_burnt_labels_only_of_polygons(tmp_path: Path):
    found = sources(tmp_path)
    burnt = found.burnt("{scene}/label.tif")
    assert (burnt(job(scene="a")), burnt(job(scene="b"))) == (["a/label.tif"], [])
    assert [found.has_polygons(scene) for scene in found.plan.sheet] == [True, False, False, False]


def test_records_only_of_scenes_with_more_than_single_rasters(tmp_path: Path):
    found, record = sources(tmp_path), str(tmp_path / "scenes" / "c" / "sources.json")
    assert [found.resolved()(job(scene=name)) for name in "abcd"] == [[], [], [record], []]
    of_scenes = found.of_resolved_scenes()
    assert (of_scenes(job(region="north")), of_scenes(job(region="south"))) == ([record], [])
    assert found.source_options("optical")(job(scene="b"), None) == ["--optical", "b.tif"]
    words = found.source_options("optical", "label")(job(scene="c"), None)
    assert words == ["--optical", "B04.tif;B03.tif", "--label", "c_label.tif", "--sources", record]


def test_params_without_influence_on_results_are_not_tracked(tmp_path: Path):
    found = sources(tmp_path)
    for function in (found.cells("sar"), found.source_options("sar"), found.record()):
        assert "output" in get_function_params(function)  # Snakemake does not track params that depend on outputs
    for function in (found.contents("sar"), found.made("sar"), RuleFiles(found.plan).of_training("{scene}")):
        assert list(get_function_params(function)) == ["wildcards"]


def test_no_scene_is_read_before_a_job_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    found = sources(tmp_path)
    for name in ("scenes_of", "maps_of", "test_of"):
        monkeypatch.setattr(Plan, name, pytest.fail)
    for name in ("train_and_val", "labelled_regions"):
        monkeypatch.setattr(Plan, name, property(pytest.fail))
    monkeypatch.setattr(SampleSheet, "regions", property(pytest.fail))
    monkeypatch.setattr(SourceFiles, "_given", pytest.fail)
    files = RuleFiles(found.plan)
    factories = (files.of_scenes, files.of_training, files.of_audit, files.of_labelled_regions, files.of_maps)
    assert all(callable(factory("{scene}")) for factory in (*factories, files.results, found.burnt, found.contents))
    assert callable(found.resolved()) and callable(found.of_resolved_scenes())
