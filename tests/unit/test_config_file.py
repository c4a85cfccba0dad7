import json

import jsonschema
import pytest
import yaml

from clairemap.config_file import default_yaml, json_schema
from clairemap.settings import Settings, load_settings


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
