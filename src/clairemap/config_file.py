"""The files in ``config/`` that are written from the settings: defaults with comments, and a JSON schema."""

import json
from typing import Any, get_args

import yaml

from clairemap.settings import Section, Settings


def default_yaml() -> str:
    """Return config.yaml: every default with its description as a comment."""
    header = (
        "# Settings and their defaults, written by `make config` from src/clairemap/settings/. The defaults map\n"
        "# the demo region. Put your own into a file with just the keys that differ: snakemake --configfile my.yaml\n"
        "# (sections are merged with these, lists replace theirs).\n"
    )
    return header + "".join(_commented(Settings(), 0))


def json_schema() -> str:
    """Return config.schema.json, which lets editors check and complete a config file."""
    return json.dumps(Settings.model_json_schema(), indent=2) + "\n"


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
