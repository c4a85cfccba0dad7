import json
import re
from collections.abc import Iterator

import jsonschema
import pytest
import yaml

from clairemap.config_file import default_yaml, json_schema
from clairemap.settings import Section, Settings, load_settings


def test_the_default_yaml_reads_back_as_the_defaults():
    assert load_settings(yaml.safe_load(default_yaml())) == Settings()


def described(section: type[Section]) -> Iterator[tuple[str, str | None]]:
    """Yield name and description of all keys, in their order; a section's before those of its keys."""
    for name, field in section.model_fields.items():
        yield name, field.description
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from described(field.annotation)


def test_the_default_yaml_describes_every_key():
    keys = list(described(Settings))
    assert len(keys) > 80
    assert [name for name, text in keys if not (text and text.strip())] == []
    rest = default_yaml()
    for name, text in keys:
        above, beside = rf"^ *# {re.escape(str(text))}[^\n]*\n *{name}:", rf"^ *{name}:[^\n]*  # {re.escape(str(text))}"
        found = re.search(f"{above}|{beside}", rest, re.MULTILINE)
        assert found is not None, f"{name} is not described by {text!r}"
        rest = rest[found.end() :]


def test_the_schema_accepts_the_defaults_and_refuses_unknown_keys():
    schema = json.loads(json_schema())
    jsonschema.validate(yaml.safe_load(default_yaml()), schema)
    with pytest.raises(jsonschema.ValidationError, match="tilling"):
        jsonschema.validate({"tilling": {}}, schema)
