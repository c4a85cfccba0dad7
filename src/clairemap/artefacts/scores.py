"""Scores of a scene's labelled tiles: ``scores.parquet`` with confusion matrices and calibration counts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa

from clairemap.artefacts.table import columns_of, read_rows, write_table

BOTH = "both_"
"""Prefix of the columns that count only pixels seen by both sensors."""


@dataclass(frozen=True)
class TilePlace:
    """Scene, row and column of a tile."""

    scene: str
    row: int
    col: int


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
class TileScores:
    """Counts of one tile: of all pixels, and of those seen by both sensors."""

    place: TilePlace
    counts: PixelCounts
    both: PixelCounts


SCORE_SCHEMA = pa.schema([*columns_of(TilePlace), *columns_of(PixelCounts), *columns_of(PixelCounts, BOTH)])


def write_scores(path: Path, tiles: Sequence[TileScores], stamp: Mapping[str, str]) -> None:
    """Write one row per tile as Parquet, atomically; no tiles give a valid empty table."""
    write_table(path, [_row(tile) for tile in tiles], SCORE_SCHEMA, stamp)


def read_scores(path: Path) -> list[TileScores]:
    """Return the scores of a scene's tiles.

    Raises:
        StoreError: the file is missing, damaged, or lacks columns.
    """
    return [_tile(row) for row in read_rows(path, SCORE_SCHEMA.names, "score table", "score_tiles")]


def _row(tile: TileScores) -> dict[str, Any]:
    both = {f"{BOTH}{name}": value for name, value in asdict(tile.both).items()}
    return {**asdict(tile.place), **asdict(tile.counts), **both}


def _tile(row: Mapping[str, Any]) -> TileScores:
    place = TilePlace(row["scene"], row["row"], row["col"])
    return TileScores(place, _counts(row, ""), _counts(row, BOTH))


def _counts(row: Mapping[str, Any], prefix: str) -> PixelCounts:
    values = ((field.name, row[f"{prefix}{field.name}"]) for field in fields(PixelCounts))
    counts: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values}
    return PixelCounts(**counts)
