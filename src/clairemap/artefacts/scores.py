"""The scores of a scene's labelled tiles as a file, ``scores.parquet``: confusion matrices and calibration."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from clairemap.artefacts.table import columns_of, read_rows, write_table

BOTH = "both_"
"""Prefix of the columns that count only pixels which both sensors see."""


@dataclass(frozen=True)
class TilePlace:
    """Scene, row and column of a tile."""

    scene: str
    row: int
    col: int


@dataclass(frozen=True)
class PixelCounts:
    """Counts of a tile's labelled pixels.

    `confusion` is the matrix row by row, labels as rows; `unmapped_px` are pixels with a label but without a class in
    the map; `bin_*` are counts by bin of confidence, see `metrics.calibration.Calibration`.
    """

    confusion: tuple[int, ...]
    unmapped_px: int
    bin_px: tuple[int, ...]
    bin_correct: tuple[int, ...]
    bin_confidence: tuple[float, ...]


@dataclass(frozen=True)
class TileScores:
    """The counts of one tile: of all its pixels, and of those that both sensors see."""

    place: TilePlace
    counts: PixelCounts
    both: PixelCounts


SCHEMA = pa.schema([*columns_of(TilePlace), *columns_of(PixelCounts), *columns_of(PixelCounts, BOTH)])


def write_scores(path: Path, tiles: Sequence[TileScores], stamp: Mapping[str, str]) -> None:
    """Write a scene's tiles as Parquet, one row each, whole or not at all; no tiles give a valid empty table."""
    write_table(path, [_row(tile) for tile in tiles], SCHEMA, stamp)


def read_scores(path: Path) -> list[TileScores]:
    """Return the scores of a scene's tiles.

    Raises:
        StoreError: the file is missing or damaged, or columns are missing in it.
    """
    return [_tile(row) for row in read_rows(path, SCHEMA.names, "table of scores", "score_tiles")]


def _row(tile: TileScores) -> dict[str, Any]:
    both = {f"{BOTH}{name}": value for name, value in asdict(tile.both).items()}
    return {**asdict(tile.place), **asdict(tile.counts), **both}


def _tile(row: Mapping[str, Any]) -> TileScores:
    place = TilePlace(row["scene"], row["row"], row["col"])
    return TileScores(place, _counts(row, ""), _counts(row, BOTH))


def _counts(row: Mapping[str, Any], prefix: str) -> PixelCounts:
    return PixelCounts(
        confusion=tuple(row[f"{prefix}confusion"]),
        unmapped_px=row[f"{prefix}unmapped_px"],
        bin_px=tuple(row[f"{prefix}bin_px"]),
        bin_correct=tuple(row[f"{prefix}bin_correct"]),
        bin_confidence=tuple(row[f"{prefix}bin_confidence"]),
    )
