"""The files that are written from the models of settings and sample sheet: commented defaults and JSON schemas."""

import json
from typing import Any, get_args

import yaml

from clairemap.scenes import DATE, LONGEST_NAME, NAME, OPTIONAL, REQUIRED, SPLITS
from clairemap.settings import Section, Settings


def default_yaml() -> str:
    """Return config.yaml: every default with its description as a comment."""
    header = (
        "# yaml-language-server: $schema=../workflow/schemas/config.schema.json\n"
        "# Settings and their defaults, written by `make config` from src/clairemap/settings.py. The defaults map\n"
        "# the demo region. Put your own into a file with just the keys that differ: snakemake --configfile my.yaml\n"
        "# (sections are merged with these, lists replace theirs).\n"
    )
    return header + "".join(_commented(Settings(), 0))


def config_schema() -> str:
    """Return config.schema.json, with which editors check and complete a config file."""
    return json.dumps(Settings.model_json_schema(), indent=2) + "\n"


def sheet_schema() -> str:
    """Return scenes.schema.json: a row of the sample sheet, its cells as strings.

    What needs more than one row, such as unique names, is checked by `read_sample_sheet` only.
    """
    name = {"pattern": _javascript(NAME.pattern), "maxLength": LONGEST_NAME}
    date = {"pattern": f"^$|{_javascript(DATE.pattern)}"}
    split = {"enum": list(SPLITS)}
    limits: dict[str, dict[str, Any]] = {
        "scene": name,
        "region": name,
        "split": split,
        "optical_date": date,
        "sar_date": date,
    }
    columns = REQUIRED | OPTIONAL
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Sample sheet",
        "description": "A row of the sample sheet: one pair of scenes.",
        "type": "object",
        "properties": {
            column: {"description": description, "type": "string", **limits.get(column, {})}
            for column, description in columns.items()
        },
        "required": list(REQUIRED),
        "additionalProperties": False,
        "anyOf": [_filled("optical"), _filled("sar")],
        "if": {"properties": {"split": {"enum": ["train", "val"]}}},
        "then": _filled("label"),
    }
    return json.dumps(schema, indent=2) + "\n"


def _filled(column: str) -> dict[str, Any]:
    return {"properties": {column: {"minLength": 1}}}


def _javascript(pattern: str) -> str:
    """Return a Python pattern in the dialect of JSON schemas."""
    return pattern.replace(r"\Z", "$").replace(r"\d", "[0-9]")


def _commented(section: Section, depth: int) -> list[str]:
    pad = "  " * depth
    lines: list[str] = []
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        comment = f"# {field.description}" + (f" [{choice}]" if (choice := _choices(field.annotation)) else "")
        if isinstance(value, Section):
            lines += [
                f"{pad}{comment}\n" if depth else f"\n{comment}\n",
                f"{pad}{name}:\n",
                *_commented(value, depth + 1),
            ]
        else:
            lines.append(f"{pad}{name}: {_inline(value)}  {comment}\n" if not _is_list_of_sections(value) else "")
            if _is_list_of_sections(value):
                items = "".join(f"{pad}  - {_inline(item.model_dump(mode='json'))}\n" for item in value)
                lines.append(f"{pad}{name}:  {comment}\n{items}")
    return lines


def _choices(annotation: Any) -> str:  # noqa: ANN401 - annotations are of any kind
    options = get_args(annotation)
    return " | ".join(options) if options and all(isinstance(option, str) for option in options) else ""


def _is_list_of_sections(value: object) -> bool:
    return isinstance(value, tuple) and bool(value) and isinstance(value[0], Section)


def _inline(value: object) -> str:
    plain = list(value) if isinstance(value, tuple) else value
    text = yaml.safe_dump(plain, default_flow_style=True, sort_keys=False, width=10_000).strip()
    return text.removesuffix("...").strip()
