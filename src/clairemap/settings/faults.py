"""Error messages for settings: key, value, allowed values and remedy.

They replace pydantic's messages, which are for programmers. The allowed values come from the JSON schema.
"""

import difflib
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Schema = dict[str, Any]
TYPE_WORDS = {"integer": "a whole number", "number": "a number", "string": "text", "boolean": "true or false"}
NO_KEY = ("extra_forbidden", "invalid_key")


def fault_messages(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Return a message for each fault; faults of a section that follow from a fault inside it are left out."""
    schema = model.model_json_schema()
    return [_message(fault, schema) for fault in _innermost_faults(error.errors())]


def _innermost_faults(faults: list[ErrorDetails]) -> list[ErrorDetails]:
    paths = [fault["loc"] for fault in faults]
    return [
        fault
        for fault, path in zip(faults, paths, strict=True)
        if not path or not any(len(other) > len(path) and other[: len(path)] == path for other in paths)
    ]


def _message(fault: ErrorDetails, schema: Schema) -> str:
    key, kind, value = ".".join(map(str, fault["loc"])) or "(whole file)", fault["type"], fault["input"]
    if kind in NO_KEY:
        return f"{key}: unknown key{_known_keys(fault['loc'], schema)}"
    if kind == "json_invalid":
        return f"not valid JSON: {fault['ctx']['error']} (value: {value!r:.80})"
    if kind == "value_error":  # raised by our validators
        text = str(fault["ctx"]["error"])
        shown = "" if isinstance(value, dict) or str(value) in text else f" (value: {value!r:.80})"
        return f"{key}: {text}{shown}" if fault["loc"] else text
    field = _at(fault["loc"], schema)
    allowed = f"it must be {_allowed(_resolved(field, schema), schema)}{_or_null(field)}{_meaning(field)}"
    if kind == "missing":
        return f"{key} is missing: {allowed}"
    if kind in ("too_short", "too_long"):
        return f"{key} has {len(value)} entries: {allowed}"
    return f"{key} is {_value_text(value)}: {allowed}{_hint(value, _resolved(field, schema))}"


def _value_text(value: object) -> str:
    plain = {None: "empty (null)", True: "true", False: "false"}
    return plain[value] if value is None or isinstance(value, bool) else f"{value!r:.80}"


def _hint(value: object, schema: Schema) -> str:
    if schema.get("type") == "string" and value is None and "pattern" in schema:
        return "; put it in quotes: YAML reads text after '#' as a comment"
    if schema.get("type") == "string" and "enum" not in schema and isinstance(value, int | float):
        return "; put it in quotes"
    return "; remove the line to use the defaults" if schema.get("type") == "object" and value is None else ""


def _meaning(field: Schema) -> str:
    return f" [{field['description']}]" if "description" in field else ""


def _or_null(field: Schema) -> str:
    return ", or null" if {"type": "null"} in field.get("anyOf", ()) else ""


def _allowed(schema: Schema, root: Schema) -> str:
    """Return the allowed values in words: type, bounds, choices."""
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    if schema.get("type") == "object" and "properties" not in schema:
        return f"names with a value each, {_allowed(schema['additionalProperties'], root)}"
    if schema.get("type") == "object":
        return f"a section (keys: {', '.join(schema['properties'])})"
    if schema.get("type") == "array":
        return f"a list{_entry_count_text(schema)} of {_allowed(_resolved(schema['items'], root), root)}"
    if "pattern" in schema:
        return "text of the form #rrggbb" if schema["pattern"].startswith("^#") else f"text like {schema['pattern']}"
    if isinstance(schema["type"], list):
        return " or ".join(TYPE_WORDS[kind] for kind in schema["type"])
    least = " that is not empty" if schema.get("minLength") else ""
    return TYPE_WORDS[schema["type"]] + least + _bounds_text(schema)


def _entry_count_text(schema: Schema) -> str:
    low, high = schema.get("minItems"), schema.get("maxItems")
    if low is not None and high is not None:
        return f" of {low} to {high} entries, each"
    return f" of at least {low} entries, each" if low else ""


def _bounds_text(schema: Schema) -> str:
    phrases = {
        "minimum": "at least {}",
        "exclusiveMinimum": "more than {}",
        "maximum": "at most {}",
        "exclusiveMaximum": "less than {}",
    }
    if "minimum" in schema and "maximum" in schema:
        return f" from {_number_text(schema['minimum'])} to {_number_text(schema['maximum'])}"
    bounds = [text.format(_number_text(schema[name])) for name, text in phrases.items() if name in schema]
    return f", {' and '.join(bounds)}" if bounds else ""


def _number_text(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _known_keys(path: Sequence[int | str], schema: Schema) -> str:
    known = list(_resolved(_at(path[:-1], schema), schema).get("properties", ()))
    closest = difflib.get_close_matches(str(path[-1]), known, n=1)
    return f" (did you mean {closest[0]!r}?)" if closest else f" (known: {', '.join(known)})"


def _at(path: Sequence[int | str], root: Schema) -> Schema:
    """Return the schema of the field at a path of keys, as its section declares it."""
    field = root
    for key in path:
        inner = _resolved(field, root)
        if isinstance(key, int):
            field = inner["items"]
        else:
            field = inner["properties"][key] if "properties" in inner else inner["additionalProperties"]
    return field


def _resolved(field: Schema, root: Schema) -> Schema:
    """Return the schema with references followed and null left out of alternatives."""
    while "$ref" in field or "anyOf" in field:
        if "$ref" in field:
            field = root["$defs"][field["$ref"].rsplit("/", 1)[1]]
        else:
            field = next(kind for kind in field["anyOf"] if kind != {"type": "null"})
    return field
