"""Counts of a scene's labelled tiles: ``scores.parquet``: confusion, calibration, boundaries, entropy.

The figures computed from their sums are in `metrics.scores`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa

from clairemap.artefacts.table import columns_of, read_rows, write_rows
from clairemap.artefacts.tiles import TileId

BOTH = "both_"
"""Prefix of the columns that count only pixels usable in both sensors."""


@dataclass(frozen=True)
class PixelCounts:
    """Counts of a tile's labelled pixels.

    `confusion` is the flattened matrix (rows: labels), `unmapped_px` the number of labelled pixels without a mapped
    class, `bin_*` are counts per confidence bin, see `metrics.calibration.Calibration`.
    """

    confusion: tuple[int, ...]
    unmapped_px: int
    bin_px: tuple[int, ...]
    bin_correct: tuple[int, ...]
    bin_confidence: tuple[float, ...]


@dataclass(frozen=True)
class FinerPixelCounts:
    """Boundaries and entropy of a tile's scored pixels.

    `boundary` is the flattened array of `metrics.boundary.boundary_counts`, `entropy` the sum over pixels in bits:
    divided by the sum of `confusion`, the mean entropy of the tile.
    """

    boundary: tuple[int, ...]
    entropy: float


@dataclass(frozen=True)
class TileCounts:
    """Counts of one tile: of all pixels, of those usable in both sensors, and on the pattern of all pixels."""

    id: TileId
    counts: PixelCounts
    both: PixelCounts
    finer: FinerPixelCounts


TILE_COUNTS_SCHEMA = pa.schema(
    [*columns_of(TileId), *columns_of(PixelCounts), *columns_of(PixelCounts, BOTH), *columns_of(FinerPixelCounts)]
)


def write_tile_counts(path: Path, tiles: Sequence[TileCounts], stamp: Mapping[str, str]) -> None:
    """Write one row per tile as Parquet, atomically; no tiles give a valid empty table."""
    write_rows(path, [_row(tile) for tile in tiles], TILE_COUNTS_SCHEMA, stamp)


def read_tile_counts(path: Path) -> list[TileCounts]:
    """Return the counts of a scene's tiles.

    Raises:
        StoreError: the file is missing, damaged, or lacks columns.
    """
    return [_tile(row) for row in read_rows(path, TILE_COUNTS_SCHEMA.names, "score table", "score_tiles")]


def _row(tile: TileCounts) -> dict[str, Any]:
    both = {f"{BOTH}{name}": value for name, value in asdict(tile.both).items()}
    return {**asdict(tile.id), **asdict(tile.counts), **both, **asdict(tile.finer)}


def _tile(row: Mapping[str, Any]) -> TileCounts:
    finer = FinerPixelCounts(tuple(row["boundary"]), row["entropy"])
    return TileCounts(TileId(row["scene"], row["row"], row["col"]), _counts(row, ""), _counts(row, BOTH), finer)


def _counts(row: Mapping[str, Any], prefix: str) -> PixelCounts:
    values = ((field.name, row[f"{prefix}{field.name}"]) for field in fields(PixelCounts))
    counts: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values}
    return PixelCounts(**counts)
