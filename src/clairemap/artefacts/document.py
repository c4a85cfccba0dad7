"""Serialise, write and read JSON files that contain one model."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from clairemap.errors import StoreError
from clairemap.provenance import write_text_whole

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Document = TypeVar("Document")


class DocumentModel(BaseModel):
    """Base of all models in documents: frozen; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def document_text(document: "BaseModel | DataclassInstance") -> str:
    """Return a document as JSON text; equal documents give equal texts.

    For dataclasses, non-ASCII characters are escaped.

    Raises:
        ValueError: a dataclass contains NaN or infinity.
    """
    if isinstance(document, BaseModel):
        return document.model_dump_json(indent=1) + "\n"
    return json.dumps(asdict(document), indent=1, allow_nan=False) + "\n"


def write_document(path: Path, document: "BaseModel | DataclassInstance") -> None:
    """Write a document as JSON, atomically."""
    write_text_whole(path, document_text(document))


def read_document(path: Path, model: type[Document], name: str, rule: str) -> Document:
    """Return the document in a file.

    Args:
        path: file to read.
        model: pydantic model or dataclass.
        name: what to call the document in errors.
        rule: the rule that writes it.

    Raises:
        StoreError: the file is missing, damaged, or of another version.
    """
    try:
        return parse_document(path, model)
    except ValueError as error:
        raise StoreError(f"{path}: not a valid {name} ({error}); delete it and run {rule} again") from None


def parse_document(path: Path, model: type[Document]) -> Document:
    """Return the document in a file.

    Raises:
        ValueError: the file is missing, damaged, or of another version; the message is the reason.
    """
    try:
        return TypeAdapter(model).validate_json(path.read_bytes())
    except OSError as error:
        raise ValueError(error.strerror or error) from None
    except ValidationError as error:
        raise ValueError(first_fault(error)) from None


def first_fault(error: ValidationError) -> str:
    """Return the first validation error with its key and value, as in ``scenes.0: Input should be …, got 'a'``."""
    fault = error.errors()[0]
    key = ".".join(map(str, fault["loc"]))
    return (f"{key}: " if key else "") + fault["msg"] + _seen(fault["input"])


def _seen(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return f", got {value!r:.60}" if isinstance(value, str | int | float | bool) and len(repr(value)) <= 60 else ""
