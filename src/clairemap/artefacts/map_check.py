"""What a region's maps hold, as a file that is only written if they pass their check: ``check.json``."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clairemap.artefacts.document import read_document, write_document


@dataclass(frozen=True)
class MapFacts:
    """What a map that passed holds: number of overviews, pixels of each value (nodata included)."""

    overviews: int
    pixels: Mapping[int, int]


@dataclass(frozen=True)
class RegionMaps:
    """The four maps of a region."""

    landcover: MapFacts
    confidence: MapFacts
    optical_share: MapFacts
    source_count: MapFacts


@dataclass(frozen=True)
class MapCheck:
    """The maps of a region with their common size in pixels; `stamp` is that of the check."""

    stamp: Mapping[str, str]
    height: int
    width: int
    maps: RegionMaps


def write_map_check(path: Path, check: MapCheck) -> None:
    """Write the check as JSON, whole or not at all."""
    write_document(path, check)


def read_map_check(path: Path) -> MapCheck:
    """Return the check of a region's maps.

    Raises:
        StoreError: the file is missing or damaged, or one of the four maps is missing in it.
    """
    return read_document(path, MapCheck, "check of maps", "check_maps")
