from pathlib import Path

import pytest

from clairemap.errors import MissingFileError, SampleSheetError, SettingsError
from clairemap.plan import Plan, has_both_sensors, is_labelled

SHEET = """scene,region,split,optical,sar,label
a,north,train,a.tif,a_sar.tif,a_label.tif
b,north,val,b.tif,,b_label.tif
c,north,test,c.tif,c_sar.tif,c_label.tif
d,south,predict,,d_sar.tif,
e,south,predict,e.tif,e_sar.tif,e_label.tif
"""


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    path = tmp_path / "scenes.csv"
    path.write_text(SHEET)
    return path


def plan(sheet: Path, **settings: object) -> Plan:
    return Plan.read({"scenes": str(sheet), **settings}, Path("/checkout"))


def names(plan: Plan, region: str, map_name: str | None) -> list[str]:
    return [scene.scene for scene in plan.scenes_of(region, map_name)]


def test_labelled_scenes_by_use(sheet: Path):
    found = plan(sheet)
    assert (found.train_and_val, found.train) == (("a", "b"), ("a",))
    assert (found.test_of("north"), found.test_of("south")) == (("c",), ())


def test_scenes_of_one_map_per_region(sheet: Path):
    found = plan(sheet)
    assert found.maps_of("north") == ["north"]
    assert names(found, "north", "north") == names(found, "north", None) == ["a", "b", "c"]


def test_scenes_that_jobs_read(sheet: Path):
    found = plan(sheet)
    assert found.scenes_read("tile_scene", scene="d") == ("d",)
    assert found.scenes_read("train_model") == ("a", "b")
    assert found.scenes_read("audit_splits", region="north") == ("a", "b", "c")
    assert found.scenes_read("audit_splits", region="south") == ("a", "b")
    assert found.scenes_read("mosaic_region", region="south", map_name="south") == ("d", "e")
    assert plan(sheet, mosaic={"grid": "scene"}).scenes_read("check_maps", region="south", map_name="e") == ("e",)


def test_with_a_given_model_each_labelled_scene_is_tested(sheet: Path):
    rows = [row for row in SHEET.splitlines() if "train" not in row and "val" not in row]
    sheet.write_text("\n".join(rows) + "\n")
    found = plan(sheet, model="given")
    assert (found.train_and_val, found.labelled_regions) == ((), ("north", "south"))
    assert (found.test_of("north"), found.test_of("south")) == (("c",), ("e",))
    assert found.scenes_read("audit_places", region="south") == ("e",)
    assert [found.is_compared(scene) for scene in found.scenes_of("south")] == [False, False]


def test_scenes_of_one_map_per_scene(sheet: Path):
    found = plan(sheet, mosaic={"grid": "scene"})
    assert found.maps_of("south") == ["d", "e"]
    assert names(found, "south", "e") == ["e"]
    assert names(found, "south", None) == ["d", "e"]


@pytest.mark.parametrize(
    ("grid", "region", "map_name"),
    [("region", "north", "south"), ("region", "north", "a"), ("scene", "north", "d"), ("scene", "north", "north")],
)
def test_a_map_belongs_to_its_region(sheet: Path, grid: str, region: str, map_name: str):
    with pytest.raises(SampleSheetError, match=f"'{map_name}'"):
        plan(sheet, mosaic={"grid": grid}).scenes_of(region, map_name)


def test_sensors_and_labels_of_scenes(sheet: Path):
    scenes = plan(sheet).sheet
    assert [scene.scene for scene in scenes if has_both_sensors(scene)] == ["a", "c", "e"]
    assert [scene.scene for scene in scenes if is_labelled(scene)] == ["a", "b", "c", "e"]
    assert scenes["c"].cells_of("label", "optical") == ("c.tif", "c_label.tif")
    assert scenes["b"].cells_of("sar", "cloud") == ()


@pytest.mark.parametrize(("compare", "expected"), [(True, ["c"]), (False, [])])
def test_only_labelled_test_scenes_are_compared(sheet: Path, compare: bool, expected: list[str]):
    found = plan(sheet, metrics={"compare_sensors": compare})
    assert [scene.scene for scene in found.sheet if found.is_compared(scene)] == expected


def test_initial_weights_must_exist(sheet: Path, tmp_path: Path):
    assert plan(sheet).initial_weights == {}
    there = tmp_path / "there.pt"
    there.touch()
    assert plan(sheet, training={"initial_sar": str(there)}).initial_weights == {"sar": there}
    with pytest.raises(MissingFileError, match=r"/absent\.pt does not exist; correct the path, or set it to null"):
        plan(sheet, training={"initial_optical": "/absent.pt", "initial_sar": str(there)})


def test_a_checkout_with_braces_is_an_error(sheet: Path):
    with pytest.raises(SettingsError, match=r"/a\{b\}: .*braces"):
        Plan.read({"scenes": str(sheet)}, Path("/a{b}"))
