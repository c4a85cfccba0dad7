"""What changed between the parameters of a job's last run and those of now.

Snakemake records parameters without names, as `repr` of their values. The settings of a stage are JSON, the hash of
its code (parameter `code`) is hexadecimal; other parameters are command line options.
"""

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clairemap.operations.planned import Reason
from clairemap.text import cut, shortened

HASH = re.compile(r"^[0-9a-f]{12,64}\Z")
LONGEST_VALUE = 60
MOST_WORDS = 3
UNSET = object()
PLACES = {
    "cells": "files of the scene in the sample sheet",
    "sources": "files of the scene in the sample sheet",
    "files": "list of input files",
    "dates": "dates in the sample sheet",
    "split": "column split of the sample sheet",
    "test": "test scenes of the sample sheet",
    "unlisted": "files behind a raster",
    "contents": "content of input files",
    "checkpoints": "work_dir",
    "cache": "work_dir",
    "maps": "results_dir",
    "directory": "folder of the demo's scenes",
}
"""Parameters by name, in the words of those who set them."""
STATES = ("contents", "unlisted")
"""Parameters with the state of files: name, ``=``, size, time or hash."""


@dataclass(frozen=True)
class Changes:
    """Changed parameters: settings and options as reasons; the recorded and the current hash of the code."""

    reasons: tuple[Reason, ...] = ()
    old_code: str | None = None
    new_code: str | None = None

    @property
    def code_changed(self) -> bool:
        """Whether the hash of the code changed."""
        return self.old_code != self.new_code


def changed_params(old: Sequence[str], new: Mapping[str, str], is_code: Callable[[str], bool]) -> Changes:
    """Return the changes from recorded parameters to the current ones.

    Args:
        old: `repr` of each recorded value, in any order.
        new: `repr` of each current value, by name.
        is_code: whether a hash is known as one of the stage's code. Hashes of data look the same; if none is known,
            the only one that is recorded is the code's.
    """
    gone = [_value(text) for text in sorted(set(old) - set(new.values()))]
    come = {name: _value(text) for name, text in new.items() if text not in set(old)}
    reasons: list[Reason] = []
    new_code = come.pop("code", None)
    old_code = None
    if new_code is not None:
        old_code, gone = _taken(gone, lambda value: _is_hash(value) and is_code(value))
        hashes = [value for value in gone if _is_hash(value)]
        if old_code is None and len(hashes) == 1:
            old_code, gone = _taken(gone, _is_hash)
    old_settings, gone = _taken(gone, _is_settings)
    for name in [name for name, value in come.items() if _is_settings(value)]:
        before = json.loads(old_settings) if isinstance(old_settings, str) else {}
        reasons += [Reason("setting", text) for text in changed_settings(before, json.loads(come.pop(name)))]
    reasons += _changed_options(gone, come)
    return Changes(tuple(reasons), _text(old_code), _text(new_code))


def _taken(values: list[Any], wanted: Any) -> tuple[Any, list[Any]]:  # noqa: ANN401 - values of any type
    found = next((value for value in values if wanted(value)), None)
    return found, [value for value in values if value is not found]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _value(text: str) -> Any:  # noqa: ANN401 - any literal
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and HASH.match(value) is not None


def _is_settings(value: object) -> bool:
    if not isinstance(value, str) or not value.startswith("{"):
        return False
    try:
        return isinstance(json.loads(value), dict)
    except ValueError:
        return False


def changed_settings(old: object, new: object, key: str = "") -> Iterator[str]:
    """Yield a line for each changed setting: its key, the old and the new value."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys((*old, *new)):
            below = f"{key}.{name}" if key else str(name)
            yield from changed_settings(old.get(name, UNSET), new.get(name, UNSET), below)
    elif isinstance(old, list) and isinstance(new, list) and _has_equal_entries(old, new):
        for before, now in zip(old, new, strict=True):
            yield from changed_settings(before, now, f"{key}[{_entry_name(now)}]")
    elif old != new:
        yield f"{key}: {_shown(old)} -> {_shown(new)}"


def _has_equal_entries(old: list[Any], new: list[Any]) -> bool:
    """Whether both are lists of the same entries (classes, bands), whose fields may differ."""
    entries = [*old, *new]
    if not all(isinstance(entry, dict) for entry in entries):
        return False
    return [_entry_name(entry) for entry in old] == [_entry_name(entry) for entry in new]


def _entry_name(entry: Mapping[str, Any]) -> str:
    return str(entry.get("code", entry.get("name", "")))


def _shown(value: object) -> str:
    if value is UNSET:
        return "not set"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return f"{len(value)} entries ({shortened([entry.get('name', '?') for entry in value], MOST_WORDS)})"
    return cut(value if isinstance(value, str) else json.dumps(value), LONGEST_VALUE)


def _changed_options(gone: list[Any], come: Mapping[str, Any]) -> Iterator[Reason]:
    for name, value in come.items():
        place = PLACES.get(name, name)
        before, gone = _taken(gone, lambda old, value=value: type(old) is type(value))
        if before is None and not value:
            yield Reason("option", f"{place}: new parameter of the rule")
        elif name in STATES and isinstance(value, list):
            yield Reason("newer", place, _changed_states(before or [], value))
        elif isinstance(value, list):
            yield Reason("option", place, _changed_words(before or [], value))
        else:
            yield Reason("option", f"{place}: {_shown(UNSET if before is None else before)} -> {_shown(value)}")
    if gone:
        yield Reason("option", f"an option is no longer used: {shortened([_shown(v) for v in gone], 1)}")


def _changed_words(old: list[Any], new: list[Any]) -> tuple[str, ...]:
    """Return new and removed options; if there are none, their order changed."""
    before, now = _words(old), _words(new)
    added = [f"{_word(word)} (new)" for word in now if word not in before]
    removed = [f"{_word(word)} (gone)" for word in before if word not in now]
    return (*added, *removed) or ("another order",)


def _changed_states(old: list[Any], new: list[Any]) -> tuple[str, ...]:
    """Return the files of changed entries such as ``optical/0/alps.tif=525066:1795763482``."""
    changed = [str(entry) for entry in (*new, *old) if entry not in old or entry not in new]
    return tuple(dict.fromkeys(entry.rsplit("=", 1)[0] for entry in changed)) or ("another order",)


def _word(option: str) -> str:
    return option.removeprefix("--")


def _words(options: list[Any]) -> list[str]:
    """Return options without their bare names: the values are what changes."""
    texts = list(map(str, options))
    return [text for text in texts if not text.startswith("--") or "=" in text]
