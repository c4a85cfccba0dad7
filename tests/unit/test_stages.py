import json

import pytest

from clairemap.settings import DEMO_CLASSES, Section, Settings, load_settings
from clairemap.stages import (
    DissolvePatches,
    ExplainTiles,
    FitStatistics,
    MosaicRegion,
    PredictScene,
    ScoreRegion,
    ScoreTiles,
    StageSettings,
    TileScene,
    TrainModel,
    VectorizeMap,
    relevant_json,
    stage_json,
)

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


def renamed() -> Settings:
    return load_settings({"legend": {"classes": [{**c.model_dump(), "name": f"new {c.name}"} for c in DEMO_CLASSES]}})


@pytest.mark.parametrize("stage", [TileScene, FitStatistics, TrainModel, ScoreTiles])
def test_names_of_classes_are_passed_but_not_compared_where_results_lack_them(stage: type[StageSettings]):
    assert relevant_json(renamed(), stage) == relevant_json(Settings(), stage)
    assert stage_json(renamed(), stage) != stage_json(Settings(), stage)


def test_with_a_model_to_start_from_its_settings_and_the_names_of_classes_are_compared():
    own = {"training": {"start_from": "given"}}
    classes = [{**c.model_dump(), "name": f"new {c.name}"} for c in DEMO_CLASSES]
    others = [
        {},
        {**own, "legend": {"classes": classes}},
        {"training": {**own["training"], "statistics_from": "scenes"}},
    ]
    compared = [relevant_json(load_settings(values), TrainModel) for values in (own, *others)]
    assert len(set(compared)) == 4
    moved = load_settings({"training": {"start_from": "moved"}})
    assert relevant_json(moved, TrainModel) == compared[0]


@pytest.mark.parametrize("stage", [MosaicRegion, ScoreRegion, ExplainTiles])
def test_names_of_classes_are_compared_where_results_have_them(stage: type[StageSettings]):
    assert relevant_json(renamed(), stage) != relevant_json(Settings(), stage)


@pytest.mark.parametrize("stage", [TileScene, FitStatistics, TrainModel, ScoreTiles])
def test_codes_and_order_of_classes_are_compared(stage: type[StageSettings]):
    classes = [c.model_dump() for c in DEMO_CLASSES]
    for other in (classes[::-1], [{**classes[0], "code": 99}, *classes[1:]], classes[1:]):
        changed = load_settings({"legend": {"classes": other}})
        assert relevant_json(changed, stage) != relevant_json(Settings(), stage)


def test_the_mosaic_depends_on_post_processing_only_by_what_it_keeps_and_lists():
    def relevant(stage: type[StageSettings], **deliver: object) -> str:
        return relevant_json(load_settings({"deliver": deliver}), stage)

    mosaic = [
        relevant(MosaicRegion, **deliver)
        for deliver in ({}, {"vector": True}, {"min_area_ha": 1}, {"min_area_ha": 2, "vector": True})
    ]
    assert mosaic[2] == mosaic[3] and len(set(mosaic)) == 3
    assert relevant(DissolvePatches, min_area_ha=1) != relevant(DissolvePatches, min_area_ha=2)
    assert relevant(VectorizeMap, min_area_ha=1) == relevant(VectorizeMap, vector=True)


@pytest.mark.parametrize("stage", StageSettings.__subclasses__())
def test_everything_else_is_compared(stage: type[StageSettings]):
    """What is not compared is named in UNTRACKED; those of a language model, only with one."""
    compared = json.loads(relevant_json(Settings(), stage))
    passed = json.loads(stage_json(Settings(), stage))
    if stage is ExplainTiles:
        assert compared.pop("explain") == {"sensor_tiles": 4}
        assert passed.pop("explain")["model"] is None
    if stage is TrainModel:
        assert passed["training"].pop("statistics_from") == "model"  # used with start_from only
    if stage is MosaicRegion:
        assert not any(passed.pop("deliver").values())  # nothing is post-processed
    for section, left_out in stage.UNTRACKED.items():
        if section == "sensors":
            for sensor, keys in left_out.items():
                assert keys <= set(passed[section][sensor])
                passed[section][sensor] = {k: v for k, v in passed[section][sensor].items() if k not in keys}
        elif isinstance(left_out, set):
            assert left_out <= set(passed[section])
            passed[section] = {key: value for key, value in passed[section].items() if key not in left_out}
        else:
            passed[section]["classes"] = [
                {key: value for key, value in entry.items() if key != "name"} for entry in passed[section]["classes"]
            ]
    assert compared == passed
