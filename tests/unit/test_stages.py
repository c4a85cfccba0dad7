import json

import pytest

from clairemap.settings import DEMO_CLASSES, Section, Settings, load_settings
from clairemap.stages import ExplainTiles, MosaicRegion, PredictScene, ScoreTiles, TileScene, TrainModel, stage_json

STAGES = (ExplainTiles, PredictScene, ScoreTiles, TileScene, TrainModel)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_gets_its_own_sections_only(stage: type[Section]):
    text = stage_json(Settings(), stage)
    assert set(json.loads(text)) == set(stage.model_fields)
    assert stage_json(stage.model_validate_json(text), stage) == text


def test_equal_settings_give_equal_json():
    one = load_settings(
        {"legend": {"ignore": [0]}, "tiling": {"tile_px": 256, "shard_tiles": 2}, "training": {"crop_px": 128}}
    )
    other = load_settings({"training": {"crop_px": 128}, "tiling": {"shard_tiles": 2, "tile_px": 256}})
    assert stage_json(one, TileScene) == stage_json(other, TileScene)
    assert "\n" not in stage_json(one, TileScene)


def test_changes_of_other_sections_keep_a_stages_json():
    changed = load_settings({"explain": {"batch_size": 3}, "compute": {"device": "cpu"}})
    assert stage_json(changed, TileScene) == stage_json(Settings(), TileScene)
    assert stage_json(changed, ExplainTiles) != stage_json(Settings(), ExplainTiles)


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_depends_on_compute_settings(stage: type[Section]):
    assert "compute" not in stage.model_fields


def test_colours_are_in_settings_of_drawing_stages_only():
    recoloured = [{**entry.model_dump(), "color": "#102030"} for entry in DEMO_CLASSES]
    changed = load_settings({"legend": {"classes": recoloured}})
    for stage in (TileScene, TrainModel, ScoreTiles, ExplainTiles):
        assert stage_json(changed, stage) == stage_json(Settings(), stage)
    assert stage_json(changed, MosaicRegion) != stage_json(Settings(), MosaicRegion)
