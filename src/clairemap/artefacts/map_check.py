"""Result of the map check: ``check.json``, written only if all maps of the region pass."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clairemap.artefacts.document import read_document, write_document


@dataclass(frozen=True)
class MapFacts:
    """Number of overviews of a map, and its pixels per value, including nodata."""

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
    """Facts of a region's maps, their size in pixels, and the stamp of the check."""

    stamp: Mapping[str, str]
    height: int
    width: int
    maps: RegionMaps


def write_map_check(path: Path, check: MapCheck) -> None:
    """Write the check as JSON, atomically."""
    write_document(path, check)


def read_map_check(path: Path) -> MapCheck:
    """Return the check of a region's maps.

    Raises:
        StoreError: the file is missing or damaged, or lacks one of the four maps.
    """
    return read_document(path, MapCheck, "map check", "check_maps")
