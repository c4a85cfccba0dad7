from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from clairemap.errors import SettingsError
from clairemap.settings import ALIGN_PX, OpticalSettings, Section, Settings, load_settings
from clairemap.stages import PredictScene, TileScene, stage_json


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
def test_faults_are_listed_by_key_and_value(values: dict[str, object], key: str):
    with pytest.raises(SettingsError, match=key.replace(".", r"\.")) as caught:
        load_settings(values, "mine.yaml")
    assert str(caught.value).startswith("mine.yaml: ")
    assert "All settings: config/config.yaml" in str(caught.value)


def test_all_faults_are_listed():
    with pytest.raises(SettingsError) as caught:
        load_settings({"seed": -1, "tiling": {"tile_px": 500}, "unknown": 1})
    text = str(caught.value)
    assert "3 error(s)" in text
    assert "seed" in text
    assert f"500 is not a multiple of {ALIGN_PX} px" in text
    assert "unknown" in text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"training": {"crop_px": 512}, "tiling": {"tile_px": 256}}, "crop_px 512 is larger than tiling.tile_px 256"),
        ({"legend": {"ignore": [1]}}, r"codes \[1\] are both in classes and in ignore"),
        ({"sensors": {"sar": {"speckle_window_px": 4}}}, "must be odd"),
        ({"sensors": {"sar": {"bands": ["VV", "VH"], "indexes": [1]}}}, "2 band names but 1 indexes"),
        ({"sensors": {"optical": {"bands": ["red"], "indexes": [0]}}}, "1-based"),
        ({"sensors": {"optical": {"bands": ["red", "red"]}}}, "are repeated"),
        ({"sensors": {"optical": {"display": ["swir"]}}}, "not in "),
    ],
)
def test_contradictory_values_are_an_error(values: dict[str, object], text: str):
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
    legend = Settings().legend
    assert legend.names[:2] == ("water", "forest")
    assert legend.ignore == (0,)


def test_similar_keys_are_suggested_and_consequences_of_a_fault_left_out():
    classes = [{"code": 1, "name": "a", "colour": "#000000"}, {"code": 2, "name": "b", "color": "blue"}]
    with pytest.raises(SettingsError) as caught:
        load_settings({"trainning": {}, "legend": {"classes": classes}})
    text = str(caught.value)
    assert "did you mean 'training'?" in text
    assert "legend.classes.0.colour: unknown key (did you mean 'color'?)" in text
    assert "at least 2 items" not in text


PROGRAMMERS_WORDS = ("pydantic", "Input", "max_length", "should be", "Value error", "errors.pydantic", "instance of")


def fields_of(section: type[Section], schema: dict[str, Any], key: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield dotted key and JSON schema of every value in the settings, those of list entries too."""
    for name, field in section.model_json_schema()["properties"].items():
        yield from _values(f"{key}{name}", field, schema)


def _values(key: str, field: dict[str, Any], schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    field = next((kind for kind in field.get("anyOf", ()) if kind != {"type": "null"}), field)
    if "$ref" in field:
        field = schema["$defs"][field["$ref"].rsplit("/", 1)[1]]
    yield key, field
    for name, inner in field.get("properties", {}).items():
        yield from _values(f"{key}.{name}", inner, schema)
    if "items" in field:
        yield from _values(f"{key}.0", field["items"], schema)


ALL_FIELDS = dict(fields_of(Settings, Settings.model_json_schema()))
CODES_OR_NAMES = {key for key, field in ALL_FIELDS.items() if isinstance(field.get("type"), list)}
FIELDS = {key: field for key, field in ALL_FIELDS.items() if key not in CODES_OR_NAMES}


def unallowed(field: dict[str, Any]) -> Iterator[tuple[Any, str]]:
    """Yield values that a field cannot have, each with words that its message must contain."""
    kind = field["type"]
    if "enum" in field:
        yield "no_such_choice", f"one of {', '.join(field['enum'])}"
        yield 3, f"one of {', '.join(field['enum'])}"
        return
    words = {"integer": "a whole number", "number": "a number", "string": "text", "boolean": "true or false"}
    section = "a section" if "properties" in field else "names with a value each"
    word = words.get(kind, "a list" if kind == "array" else section)
    wrong = {"string": [7, ["a"]], "array": [7, {"a": 1}], "object": [7, ["a"]]}.get(kind, ["word", ["a"]])
    yield from ((value, word) for value in wrong)
    if kind == "integer":
        yield 1.5, word
        yield float("inf"), word
    if kind == "number" and {"minimum", "maximum", "exclusiveMinimum"} & field.keys():
        yield float("inf"), word
    for name, beyond in (("minimum", -1), ("exclusiveMinimum", 0), ("maximum", 1), ("exclusiveMaximum", 0)):
        if name in field:
            yield field[name] + beyond, f"{field[name]:g}"
    if "pattern" in field:
        yield "red", "#rrggbb"
    if field.get("minLength"):
        yield "", "not empty"
    if field.get("maxItems"):
        yield [], f"{field['minItems']} to {field['maxItems']} entries"


def holding(key: str, value: object) -> Any:  # noqa: ANN401 - of any kind
    """Return settings with a value at a dotted key."""
    name, _, rest = key.partition(".")
    inner = holding(rest, value) if rest else value
    return [inner] if name == "0" else {name: inner}


@pytest.mark.parametrize("key", FIELDS)
def test_faults_of_every_key_are_described_in_plain_words(key: str):
    for value, words in unallowed(FIELDS[key]):
        with pytest.raises(SettingsError) as caught:
            load_settings(holding(key, value))
        (line,) = [line for line in str(caught.value).splitlines() if line.startswith((f"  {key} is", f"  {key} has"))]
        assert words in line, (value, line)
        assert repr(value) in line or "has 0 entries" in line, line
        assert not [word for word in PROGRAMMERS_WORDS if word in str(caught.value)], line


@pytest.mark.parametrize("value", [True, 1.5, 2**32, ["a"]])
def test_codes_or_names_are_whole_numbers_or_text(value: object):
    assert {"legend.classes.0.from.0", "labels.polygon_class"} == CODES_OR_NAMES
    for key in CODES_OR_NAMES:
        with pytest.raises(SettingsError, match=rf"{key}: .* is neither a code \(.* 32 bits\) nor a name"):
            load_settings(holding(key, value))


def test_a_single_source_must_be_a_list():
    with pytest.raises(SettingsError, match=r"from is 10: it must be a list of a whole number or text"):
        load_settings(holding("legend.classes.0.from", 10))


def test_other_faults_are_described_in_plain_words():
    invalid = {
        "training": None,
        "tiling": {"tile_px": 300},
        "legend": {"classes": [{"code": 1, "color": None}, {"code": 2, "name": 12, "color": "#000000"}]},
        "results_dir": None,
        1: 2,
    }
    with pytest.raises(SettingsError) as caught:
        load_settings(invalid)  # type: ignore[arg-type]
    text = str(caught.value)
    for words in (
        "training is empty (null): it must be a section (keys: steps, batch_size",
        "remove the line to use the defaults",
        "tiling.tile_px: 300 is not a multiple of 128 px",
        "legend.classes.0.name is missing: it must be text that is not empty",
        "legend.classes.0.color is empty (null): it must be text of the form #rrggbb",
        "put it in quotes: YAML reads text after '#' as a comment",
        "legend.classes.1.name is 12: it must be text that is not empty [name in map categories",
        "results_dir is empty (null): it must be text",
        "1: unknown key (known: scenes, data_dir",
    ):
        assert words in text, words
    assert not [word for word in PROGRAMMERS_WORDS if word in text]


def test_quotes_are_not_advised_where_they_would_not_help():
    with pytest.raises(SettingsError, match=r"scale is 5: it must be one of linear_power") as caught:
        load_settings({"sensors": {"sar": {"scale": 5}}})
    assert "quotes" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "  ", "bell\x07", "\ud800", "\ufffe"])
def test_class_names_that_xml_cannot_contain_are_an_error(name: str):
    with pytest.raises(SettingsError, match=r"legend\.classes\.0\.name"):
        load_settings({"legend": {"classes": [{"code": 1, "name": name, "color": "#000000"}] * 2}})


def test_class_names_that_look_alike_are_an_error():
    alike = [
        {"code": code, "name": name, "color": "#000000"} for code, name in ((1, "for\u00eat"), (2, "fore\u0302t "))
    ]
    with pytest.raises(SettingsError, match="share a code or a name"):
        load_settings({"legend": {"classes": alike}})


def test_paths_are_expanded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("SCRATCH", "/scratch/me")
    paths = {"scenes": "~/s.csv", "data_dir": "$SCRATCH/d/", "work_dir": "${SCRATCH}/w/", "results_dir": "./r"}
    found = load_settings({**paths, "training": {"initial_optical": "~/w.pt"}, "explain": {"model": "$SCRATCH/phi"}})
    assert (found.scenes, found.data_dir) == ("/home/me/s.csv", "/scratch/me/d")
    assert (found.work_dir, found.results_dir) == ("/scratch/me/w", "r")
    assert (found.training.initial_optical, found.explain.model) == ("/home/me/w.pt", "/scratch/me/phi")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("work_dir", "$CLAIREMAP_UNSET/work", "the variable $CLAIREMAP_UNSET is not set"),
        ("data_dir", "$CLAIREMAP_UNSET", "the variable $CLAIREMAP_UNSET is not set"),
        ("results_dir", "maps/{year}", "'maps/{year}' contains braces"),
        ("work_dir", "a\nb", "contains a line break"),
        ("scenes", "a\0.csv", "contains a NUL"),
    ],
)
def test_invalid_paths_are_an_error_of_their_key(key: str, value: str, words: str):
    with pytest.raises(SettingsError) as caught:
        load_settings({key: value})
    assert f"  {key}: " in str(caught.value) and words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not valid JSON"),
        ('{"inference":', "not valid JSON"),
        ("[]", "it must be a section (keys: inference)"),
        ("{}", "inference is missing"),
        (
            '{"inference":{"window_px":5}}',
            "inference.window_px is 5: it must be a whole number from 128 to 16384, or null",
        ),
    ],
)
def test_unreadable_settings_of_a_stage_are_an_error(text: str, words: str):
    with pytest.raises(SettingsError) as caught:
        PredictScene.from_json(text)
    assert words in str(caught.value) and "--settings (PredictScene)" in str(caught.value)
    assert "--printshellcmds" in str(caught.value)


def test_nan_is_allowed_as_nodata():
    chosen = load_settings({"sensors": {"sar": {"nodata": float("nan")}}})
    assert str(TileScene.from_json(stage_json(chosen, TileScene)).sensors.sar.nodata) == "nan"


def test_an_invalid_crs_of_the_maps_is_an_error_at_planning():
    with pytest.raises(SettingsError, match="mosaic.crs: 'nonsense' is not a valid CRS: use a code such as EPSG:32633"):
        load_settings({"mosaic": {"crs": "nonsense"}})
    assert load_settings({"mosaic": {"crs": "EPSG:32633"}}).mosaic.crs == "EPSG:32633"
