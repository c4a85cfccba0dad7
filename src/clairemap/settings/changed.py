"""Settings that differ from the defaults."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from clairemap.settings.config import Settings

LOCAL = frozenset({"scenes", "data_dir", "work_dir", "results_dir", "compute"})
"""Settings of the machine, which do not affect results."""


def changed_settings(settings: Settings) -> dict[str, str]:
    """Return the settings that differ from the defaults, by dotted name, as JSON; without those of the machine."""
    defaults = Settings().model_dump(mode="json", exclude=set(LOCAL))
    return dict(_differences(settings.model_dump(mode="json", exclude=set(LOCAL)), defaults, ""))


def _differences(found: Mapping[str, Any], defaults: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in found.items():
        default = defaults.get(name)
        if isinstance(value, dict) and isinstance(default, dict):
            yield from _differences(value, default, f"{prefix}{name}.")
        elif value != default:
            yield f"{prefix}{name}", json.dumps(value, ensure_ascii=False)
