import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
import yaml
from pydantic.fields import FieldInfo

from clairemap.config_file import config_schema, default_yaml, sheet_schema
from clairemap.errors import SampleSheetError
from clairemap.scenes import read_sample_sheet
from clairemap.settings import Section, Settings, load_settings


def test_the_default_yaml_reads_back_as_the_defaults():
    assert load_settings(yaml.safe_load(default_yaml())) == Settings()


def fields(section: Section) -> Iterator[FieldInfo]:
    """Yield the fields of a section and of the sections in it."""
    for name, field in type(section).model_fields.items():
        yield field
        if isinstance(inner := getattr(section, name), Section):
            yield from fields(inner)


def test_every_key_has_a_description():
    found = list(fields(Settings()))
    assert len(found) > 80
    assert all(field.description for field in found)


def test_the_default_yaml_describes_every_key():
    lines = [line for line in default_yaml().splitlines() if line and not line.lstrip().startswith("- ")]
    keys = [(above, line) for above, line in itertools.pairwise(lines) if not line.lstrip().startswith("#")]
    assert len(keys) == len(list(fields(Settings())))
    assert all("  # " in line or above.lstrip().startswith("# ") for above, line in keys)


def test_lines_of_the_default_yaml_are_short():
    assert max(map(len, default_yaml().splitlines())) <= 120


def test_the_schema_accepts_the_defaults_and_rejects_unknown_keys():
    schema = json.loads(config_schema())
    jsonschema.validate(yaml.safe_load(default_yaml()), schema)
    with pytest.raises(jsonschema.ValidationError, match="tilling"):
        jsonschema.validate({"tilling": {}}, schema)


@pytest.fixture(scope="module")
def row() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(sheet_schema()))


GOOD = {"scene": "a", "region": "r", "split": "train", "optical": "o.tif", "sar": "s.tif", "label": "l.tif"}


@pytest.mark.parametrize(
    ("changed", "valid"),
    [
        ({}, True),
        ({"cloud": "", "optical_date": "", "sar_date": "20260501"}, True),
        ({"cloud": "c.tif", "optical_date": "2026-05-01"}, True),
        ({"split": "predict", "label": "", "sar": ""}, True),
        ({"split": "test", "label": "", "optical": ""}, True),
        ({"scene": "a b"}, False),
        ({"scene": "a" * 101}, False),
        ({"region": ""}, False),
        ({"split": "training"}, False),
        ({"optical": "", "sar": ""}, False),
        ({"label": ""}, False),
        ({"split": "val", "label": ""}, False),
        ({"sar_date": "1 May"}, False),
        ({"clouds": "c.tif"}, False),
    ],
)
def test_the_schema_of_the_sheet_agrees_with_its_reader(
    row: jsonschema.Draft202012Validator, changed: dict[str, str], valid: bool, tmp_path: Path
):
    cells = GOOD | changed
    sheet = tmp_path / "scenes.csv"
    others = GOOD | {name: "" for name in cells if name not in GOOD} | {"scene": "other", "optical": "x", "sar": "y"}
    sheet.write_text("\n".join(",".join(values) for values in (cells, cells.values(), (others[n] for n in cells))))
    assert row.is_valid(cells) == valid
    try:
        read_sample_sheet(sheet, tmp_path)
        assert valid
    except SampleSheetError as error:
        assert not valid, error


@pytest.mark.parametrize("column", GOOD)
def test_the_schema_of_the_sheet_requires_the_required_columns(row: jsonschema.Draft202012Validator, column: str):
    assert not row.is_valid({name: cell for name, cell in GOOD.items() if name != column})
