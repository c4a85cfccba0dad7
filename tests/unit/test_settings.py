import pytest
from pydantic import ValidationError

from clairemap.errors import SettingsError
from clairemap.settings import ALIGN_PX, OpticalSettings, Settings, load_settings


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


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().seed = 3


def test_the_legend_keeps_the_order():
    legend = Settings().legend.legend()
    assert legend.names[:2] == ("water", "forest")
    assert legend.ignore == (0,)


def test_a_key_that_was_meant_is_named_and_what_follows_from_a_fault_is_not():
    classes = [{"code": 1, "name": "a", "colour": "#000000"}, {"code": 2, "name": "b", "color": "blue"}]
    with pytest.raises(SettingsError) as caught:
        load_settings({"trainning": {}, "legend": {"classes": classes}})
    text = str(caught.value)
    assert "did you mean 'training'?" in text
    assert "legend.classes.0.colour: there is no such key (did you mean 'color'?)" in text
    assert "at least 2 items" not in text
