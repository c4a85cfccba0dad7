"""Manifests of stores: ``pair.json`` next to ``pair.zarr``, ``probabilities.json`` next to ``probabilities.zarr``.

The manifest is written last: a store without one is incomplete. It contains no times and no paths, so stores with
equal contents have equal manifests.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import JsonValue

from clairemap.artefacts.document import parse_document
from clairemap.errors import StoreError
from clairemap.provenance import write_text_whole


@dataclass(frozen=True)
class ArrayEntry:
    """Metadata of an array, number and total size of its files, and a hash of its compressed chunks.

    `fill` is the value of chunks that were not written.
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
    """Attributes of a store, without its stamp, and its arrays by name."""

    attributes: Mapping[str, JsonValue]
    arrays: Mapping[str, ArrayEntry]


def manifest_of(store: Path) -> Path:
    """Return the path of a store's manifest."""
    return store.with_suffix(".json")


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write the manifest as JSON, atomically; equal manifests give equal files."""
    write_text_whole(path, json.dumps(asdict(manifest), indent=1, sort_keys=True) + "\n")


def read_manifest(path: Path, store: Path) -> Manifest:
    """Return the manifest of a store; `store` is named in errors.

    Raises:
        StoreError: the file is missing or damaged.
    """
    try:
        return parse_document(path, Manifest)
    except ValueError as error:
        raise StoreError(f"{path}: not a valid manifest ({error}); delete it and {store}, then run again") from None
