"""The manifest of a store as a file: ``pair.json`` of a scene's pair, ``probabilities.json`` of its probabilities.

It is beside the store and is written last: a store without it is not complete. It contains no times and no paths, so
stores that later stages can't distinguish have equal manifests.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import JsonValue, TypeAdapter, ValidationError

from clairemap.artefacts.document import first_fault
from clairemap.errors import StoreError
from clairemap.provenance import write_text_whole


@dataclass(frozen=True)
class ArrayEntry:
    """An array of a store: metadata, number and size of its files, and a hash of their names and contents.

    `fill` is the value of the chunks that were never written.
    """

    shape: tuple[int, ...]
    dtype: str
    fill: str
    attributes: Mapping[str, JsonValue]
    files: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The attributes of a store without its stamp, and its arrays by name."""

    attributes: Mapping[str, JsonValue]
    arrays: Mapping[str, ArrayEntry]


def manifest_of(store: Path) -> Path:
    """Return the path of a store's manifest: ``pair.json`` of ``pair.zarr``."""
    return store.with_suffix(".json")


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write the manifest as JSON, whole or not at all; equal manifests give equal files."""
    write_text_whole(path, json.dumps(asdict(manifest), indent=1, sort_keys=True) + "\n")


def read_manifest(path: Path, store: Path) -> Manifest:
    """Return the manifest of a store, which the error names too.

    Raises:
        StoreError: the file is missing or damaged.
    """
    try:
        return TypeAdapter(Manifest).validate_json(path.read_bytes())
    except OSError as error:
        reason = error.strerror or str(error)
    except ValidationError as error:
        reason = first_fault(error)
    raise StoreError(f"{path}: not a valid manifest ({reason}); delete it and {store}, then run again")
