"""JSON files that hold one model: the text of the file, writing it, reading it."""

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


class Part(BaseModel):
    """A document or a part of one: frozen, unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def document_text(document: "BaseModel | DataclassInstance") -> str:
    """Return a document as the text of its file; equal documents give equal texts.

    Dataclasses are written by the standard library, which escapes non-ASCII characters and refuses NaN.

    Raises:
        ValueError: a dataclass holds NaN or infinity.
    """
    if isinstance(document, BaseModel):
        return document.model_dump_json(indent=1) + "\n"
    return json.dumps(asdict(document), indent=1, allow_nan=False) + "\n"


def write_document(path: Path, document: "BaseModel | DataclassInstance") -> None:
    """Write a document as JSON, whole or not at all."""
    write_text_whole(path, document_text(document))


def read_document(path: Path, kind: type[Document], what: str, maker: str) -> Document:
    """Return a document from its file.

    Args:
        path: the file.
        kind: the model, of pydantic or a dataclass.
        what: the document's name in the error.
        maker: the rule that writes it.

    Raises:
        StoreError: the file is missing, damaged, or of another version.
    """
    try:
        return TypeAdapter(kind).validate_json(path.read_bytes())
    except OSError as error:
        reason = error.strerror or str(error)
    except ValidationError as error:
        reason = first_fault(error)
    raise StoreError(f"{path}: not a valid {what} ({reason}); delete it and run {maker} again")


def first_fault(error: ValidationError) -> str:
    """Return the first fault that pydantic found, with its key and the value seen: ``scenes.0: Input should be …``."""
    fault = error.errors()[0]
    key = ".".join(map(str, fault["loc"]))
    return (f"{key}: " if key else "") + fault["msg"] + _seen(fault["input"])


def _seen(value: Any) -> str:  # noqa: ANN401 - anything that JSON can hold
    return f", got {value!r:.60}" if isinstance(value, str | int | float | bool) and len(repr(value)) <= 60 else ""
