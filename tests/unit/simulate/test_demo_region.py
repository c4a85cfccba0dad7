import csv
from itertools import combinations
from pathlib import Path

import pytest
from odc.geo.geom import Geometry

from clairemap.errors import SettingsError
from clairemap.scenes import read_sample_sheet
from clairemap.settings import SplitsSettings
from clairemap.simulate.region import DEMO_SCENES, DemoScene, demo_scene
from clairemap.simulate.scene import PIXEL_M

SHEET = Path(__file__).parents[3] / "config" / "scenes.csv"


def grounds(one: DemoScene, other: DemoScene) -> list[Geometry]:
    return [scene.recipe.optical_grid.extent.to_crs("EPSG:3035", resolution=1000) for scene in (one, other)]


def overlap_share(one: DemoScene, other: DemoScene) -> float:
    areas = grounds(one, other)
    return (areas[0] & areas[1]).area / min(area.area for area in areas)


def gap_px(one: DemoScene, other: DemoScene) -> float:
    areas = grounds(one, other)
    return areas[0].geom.distance(areas[1].geom) / PIXEL_M


def pairs(*splits: str):
    return [(a, b) for a, b in combinations(DEMO_SCENES, 2) if {a.split, b.split} == set(splits)]


def test_the_sample_sheet_lists_the_demo_scenes():
    with SHEET.open(newline="", encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == [scene.row for scene in DEMO_SCENES]


def test_the_sample_sheet_is_accepted():
    sheet = read_sample_sheet(SHEET, Path())
    assert [scene.scene for scene in sheet] == sorted(scene.recipe.name for scene in DEMO_SCENES)
    assert {scene.split for scene in sheet} == {"train", "val", "test", "predict"}
    assert all((scene.label is None) == (scene.split == "predict") for scene in sheet)


@pytest.mark.parametrize("split", ["val", "test"])
def test_held_out_scenes_are_farther_from_training_than_the_receptive_field(split: str):
    assert pairs("train", split)
    assert all(gap_px(*pair) >= SplitsSettings().buffer_px for pair in pairs("train", split))


def test_validation_and_test_scenes_share_no_ground():
    assert pairs("val", "test")
    # They touch; edges that are straight in their CRS are bent in the plane of `grounds` by a millimetre.
    assert all(overlap_share(*pair) < 1e-6 for pair in pairs("val", "test"))


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_the_unlabelled_scene_overlaps_scored_and_training_scenes(split: str):
    assert any(overlap_share(*pair) > 0 for pair in pairs("predict", split))


def test_the_mosaic_has_seams_and_two_zones():
    assert sum(overlap_share(*pair) > 0 for pair in combinations(DEMO_SCENES, 2)) >= 5
    assert {scene.recipe.optical_crs for scene in DEMO_SCENES} == {"EPSG:32632", "EPSG:32633"}


def test_every_scene_has_its_own_displacement_and_another_sar_grid():
    assert len({scene.recipe.shift_px for scene in DEMO_SCENES}) == len(DEMO_SCENES)
    assert all(scene.recipe.sar_crs != scene.recipe.optical_crs for scene in DEMO_SCENES)


def test_an_unknown_scene_is_an_error_that_lists_the_known_ones():
    with pytest.raises(SettingsError, match="'nowhere'.*west_south"):
        demo_scene("nowhere")
