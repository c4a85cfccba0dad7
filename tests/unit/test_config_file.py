import itertools
import json
from collections.abc import Iterator

import jsonschema
import pytest
import yaml
from pydantic.fields import FieldInfo

from clairemap.config_file import default_yaml, json_schema
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


def test_no_line_of_the_default_yaml_is_long():
    assert max(map(len, default_yaml().splitlines())) <= 120


def test_the_schema_accepts_the_defaults_and_refuses_unknown_keys():
    schema = json.loads(json_schema())
    jsonschema.validate(yaml.safe_load(default_yaml()), schema)
    with pytest.raises(jsonschema.ValidationError, match="tilling"):
        jsonschema.validate({"tilling": {}}, schema)
