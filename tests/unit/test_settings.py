import json

import jsonschema
import pytest
import yaml
from pydantic import ValidationError

from clairemap.errors import SettingsError
from clairemap.settings import (
    ALIGN_PX,
    DEMO_CLASSES,
    ExplainTiles,
    MosaicRegion,
    OpticalSettings,
    PredictScene,
    ScoreTiles,
    Section,
    Settings,
    TileScene,
    TrainModel,
    default_yaml,
    json_schema,
    load_settings,
    stage_json,
)

STAGES = (ExplainTiles, PredictScene, ScoreTiles, TileScene, TrainModel)


def test_defaults_are_allowed_values():
    assert load_settings({}) == Settings()


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"tilling": {}}, "tilling"),
        ({"tiling": {"tile": 512}}, "tiling.tile"),
        ({"sensors": {"sar": {"scale": "decibel"}}}, "sensors.sar.scale"),
        ({"loss": {"balance": 1.5}}, "loss.balance"),
        ({"legend": {"classes": [{"code": 1, "name": "water", "color": "blue"}] * 2}}, "legend.classes.0.color"),
    ],
)
def test_faults_are_told_by_key_and_value(values: dict[str, object], key: str):
    with pytest.raises(SettingsError, match=key.replace(".", r"\.")) as caught:
        load_settings(values, "mine.yaml")
    assert str(caught.value).startswith("mine.yaml: ")
    assert "see config/config.yaml" in str(caught.value)


def test_all_faults_are_told_at_once():
    with pytest.raises(SettingsError) as caught:
        load_settings({"seed": -1, "tiling": {"tile_px": 500}, "unknown": 1})
    text = str(caught.value)
    assert "3 fault(s)" in text
    assert "seed" in text
    assert f"500 is not a multiple of {ALIGN_PX} px" in text
    assert "unknown" in text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"training": {"crop_px": 512}, "tiling": {"tile_px": 256}}, "crop_px 512 is larger than tiling.tile_px 256"),
        ({"legend": {"ignore": [1]}}, r"codes \[1\] are both classes and to be ignored"),
        ({"sensors": {"sar": {"speckle_window_px": 4}}}, "must be odd"),
        ({"sensors": {"sar": {"bands": ["VV", "VH"], "indexes": [1]}}}, "2 band names but 1 indexes"),
        ({"sensors": {"optical": {"bands": ["red"], "indexes": [0]}}}, "counted from 1"),
        ({"sensors": {"optical": {"bands": ["red", "red"]}}}, "stands twice"),
        ({"sensors": {"optical": {"display": ["swir"]}}}, "not among"),
    ],
)
def test_values_that_contradict_each_other_are_refused(values: dict[str, object], text: str):
    with pytest.raises(SettingsError, match=text):
        load_settings(values)


def test_classes_are_distinct():
    twice = [{"code": 1, "name": name, "color": "#000000"} for name in ("water", "forest")]
    with pytest.raises(SettingsError, match="share a code or a name"):
        load_settings({"legend": {"classes": twice}})


@pytest.mark.parametrize(
    ("bands", "display", "positions"),
    [
        (("blue", "green", "red", "nir"), ("red", "green", "blue"), (2, 1, 0)),
        (("red", "green", "blue", "nir"), None, (0, 1, 2)),
        (("pan", "nir"), None, (0,)),
    ],
)
def test_display_positions(bands: tuple[str, ...], display: tuple[str, ...] | None, positions: tuple[int, ...]):
    assert OpticalSettings(bands=bands, display=display).display_positions == positions


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_gets_its_own_sections_only(stage: type[Section]):
    text = stage_json(Settings(), stage)
    assert set(json.loads(text)) == set(stage.model_fields)
    assert stage.model_validate_json(text) is not None


def test_a_stages_json_is_one_string_for_equal_settings():
    one = load_settings(
        {"legend": {"ignore": [0]}, "tiling": {"tile_px": 256, "shard_tiles": 2}, "training": {"crop_px": 128}}
    )
    other = load_settings({"training": {"crop_px": 128}, "tiling": {"shard_tiles": 2, "tile_px": 256}})
    assert stage_json(one, TileScene) == stage_json(other, TileScene)
    assert "\n" not in stage_json(one, TileScene)


def test_a_change_elsewhere_leaves_a_stages_json():
    changed = load_settings({"explain": {"batch_size": 3}, "compute": {"device": "cpu"}})
    assert stage_json(changed, TileScene) == stage_json(Settings(), TileScene)
    assert stage_json(changed, ExplainTiles) != stage_json(Settings(), ExplainTiles)


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_depends_on_where_it_runs(stage: type[Section]):
    assert "compute" not in stage.model_fields


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().seed = 3


def test_the_default_yaml_reads_back_as_the_defaults():
    assert load_settings(yaml.safe_load(default_yaml())) == Settings()


def test_the_default_yaml_describes_every_key():
    lines = [line for line in default_yaml().splitlines() if line and not line.lstrip().startswith(("#", "- "))]
    sections = [line for line in lines if line.endswith(":")]
    assert all("# " in line for line in lines if line not in sections)


def test_the_schema_accepts_the_defaults_and_refuses_unknown_keys():
    schema = json.loads(json_schema())
    jsonschema.validate(yaml.safe_load(default_yaml()), schema)
    with pytest.raises(jsonschema.ValidationError, match="tilling"):
        jsonschema.validate({"tilling": {}}, schema)


def test_the_legend_keeps_the_order():
    legend = Settings().legend.legend()
    assert legend.names[:2] == ("water", "forest")
    assert legend.ignore == (0,)


def test_a_colour_reaches_just_the_stages_that_draw():
    recoloured = [{**entry.model_dump(), "color": "#102030"} for entry in DEMO_CLASSES]
    changed = load_settings({"legend": {"classes": recoloured}})
    for stage in (TileScene, TrainModel, ScoreTiles, ExplainTiles):
        assert stage_json(changed, stage) == stage_json(Settings(), stage)
    assert stage_json(changed, MosaicRegion) != stage_json(Settings(), MosaicRegion)
