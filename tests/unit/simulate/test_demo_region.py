import csv
from itertools import combinations
from pathlib import Path

import pytest

from clairemap.errors import SettingsError
from clairemap.scenes import read_sample_sheet
from clairemap.simulate.region import DEMO_SCENES, DemoScene, demo_scene

SHEET = Path(__file__).parents[3] / "config" / "scenes.csv"


def overlap_share(one: DemoScene, other: DemoScene) -> float:
    areas = [scene.recipe.optical_grid.extent.to_crs("EPSG:3035", resolution=1000) for scene in (one, other)]
    return (areas[0] & areas[1]).area / min(area.area for area in areas)


def pairs(*splits: str):
    return [(a, b) for a, b in combinations(DEMO_SCENES, 2) if {a.split, b.split} == set(splits)]


def test_the_sample_sheet_lists_the_demo_scenes():
    with SHEET.open(newline="", encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == [scene.row for scene in DEMO_SCENES]


def test_the_sample_sheet_is_accepted():
    sheet = read_sample_sheet(SHEET, Path())
    assert [scene.scene for scene in sheet] == [scene.recipe.name for scene in DEMO_SCENES]
    assert {scene.split for scene in sheet} == {"train", "val", "test", "predict"}
    assert all((scene.label is None) == (scene.split == "predict") for scene in sheet)


def test_the_test_scene_overlaps_no_training_scene():
    assert pairs("train", "test")
    assert all(overlap_share(*pair) == 0 for pair in pairs("train", "test"))


def test_the_validation_scene_overlaps_training_by_a_narrow_strip_at_most():
    assert all(overlap_share(*pair) < 0.06 for pair in pairs("train", "val"))


def test_the_mosaic_has_seams_and_two_zones():
    assert sum(overlap_share(*pair) > 0 for pair in combinations(DEMO_SCENES, 2)) >= 5
    assert {scene.recipe.optical_crs for scene in DEMO_SCENES} == {"EPSG:32632", "EPSG:32633"}


def test_every_scene_has_a_displacement_of_its_own_and_a_foreign_sar_grid():
    assert len({scene.recipe.shift_px for scene in DEMO_SCENES}) == len(DEMO_SCENES)
    assert all(scene.recipe.sar_crs != scene.recipe.optical_crs for scene in DEMO_SCENES)


def test_an_unknown_scene_is_refused_with_the_known_names():
    with pytest.raises(SettingsError, match="'nowhere'.*west_south"):
        demo_scene("nowhere")
