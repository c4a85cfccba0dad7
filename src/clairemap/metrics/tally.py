"""What is counted for each tile, how it adds up, and the table that carries it from stage to stage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from clairemap.classes import IGNORE_INDEX
from clairemap.errors import StoreError
from clairemap.metrics.calibration import Calibration, calibration
from clairemap.metrics.confusion import Confusion, confusion_matrix
from clairemap.metrics.decision import decide
from clairemap.provenance import written_whole

BOTH = "both_"
"""Prefix of the columns that count only pixels which both sensors see."""

_COUNT_COLUMNS = (
    ("confusion", pa.list_(pa.int64())),
    ("unmapped_px", pa.int64()),
    ("bin_px", pa.list_(pa.int64())),
    ("bin_correct", pa.list_(pa.int64())),
    ("bin_confidence", pa.list_(pa.float64())),
)

SCORES_SCHEMA = pa.schema(
    [
        ("scene", pa.string()),
        ("row", pa.int64()),
        ("col", pa.int64()),
        *((f"{prefix}{name}", kind) for prefix in ("", BOTH) for name, kind in _COUNT_COLUMNS),
    ]
)


@dataclass(frozen=True)
class Tally:
    """Counts of any number of tiles: they add up exactly, figures are computed from the sum only.

    `unmapped_px` are pixels with a label but without a class in the map, in `tiles` tiles.
    """

    confusion: Confusion
    calibration: Calibration
    unmapped_px: int
    tiles: int

    @classmethod
    def empty(cls, classes: int) -> "Tally":
        """Return the counts of no tile."""
        return cls(np.zeros((classes, classes), np.int64), Calibration.empty(), 0, 0)

    def __add__(self, other: "Tally") -> "Tally":
        """Return the sum of both counts."""
        return Tally(
            self.confusion + other.confusion,
            self.calibration + other.calibration,
            self.unmapped_px + other.unmapped_px,
            self.tiles + other.tiles,
        )


def tally(truth: NDArray[np.uint8], probability: NDArray[np.uint8]) -> Tally:
    """Return the counts of one tile.

    Args:
        truth: class indices (y, x) of the labels, IGNORE_INDEX where there is none.
        probability: (class, y, x) in 1/255; 0 in all classes where nothing could be mapped.
    """
    decision = decide(probability)
    labelled = truth != IGNORE_INDEX
    return Tally(
        confusion_matrix(truth, decision.index, len(probability)),
        calibration(truth, decision),
        int(np.count_nonzero(labelled & (decision.index == IGNORE_INDEX))),
        1,
    )


@dataclass(frozen=True)
class TileTally:
    """The counts of one tile and its place in the scene's grid of tiles.

    `both` counts only the pixels that both sensors see: there maps from one sensor and from two can be compared.
    """

    scene: str
    row: int
    col: int
    counts: Tally
    both: Tally


def write_tallies(target: Path, tallies: Sequence[TileTally], stamp: Mapping[str, str]) -> None:
    """Write a scene's tiles as Parquet, one row each, whole or not at all; no tiles give a valid empty table."""
    columns = {
        "scene": [tile.scene for tile in tallies],
        "row": [tile.row for tile in tallies],
        "col": [tile.col for tile in tallies],
        **_columns([tile.counts for tile in tallies], ""),
        **_columns([tile.both for tile in tallies], BOTH),
    }
    table = pa.table(columns, schema=SCORES_SCHEMA).replace_schema_metadata(dict(stamp))
    with written_whole(target) as temporary:
        pq.write_table(table, temporary)


def read_tallies(path: Path, classes: int) -> list[TileTally]:
    """Return the tiles of one scene's table.

    Raises:
        StoreError: the file is damaged, or was made with another number of classes.
    """
    try:
        rows = pq.read_table(path).to_pylist()
        return [_tile(row, classes) for row in rows]
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise StoreError(
            f"{path}: is no table of scores for {classes} classes ({error}); delete it, run again"
        ) from None


def _columns(counts: Sequence[Tally], prefix: str) -> dict[str, list[Any]]:
    return {
        f"{prefix}confusion": [count.confusion.ravel() for count in counts],
        f"{prefix}unmapped_px": [count.unmapped_px for count in counts],
        f"{prefix}bin_px": [count.calibration.px for count in counts],
        f"{prefix}bin_correct": [count.calibration.correct for count in counts],
        f"{prefix}bin_confidence": [count.calibration.confidence for count in counts],
    }


def _tile(row: Mapping[str, Any], classes: int) -> TileTally:
    return TileTally(row["scene"], row["row"], row["col"], _counts(row, classes, ""), _counts(row, classes, BOTH))


def _counts(row: Mapping[str, Any], classes: int, prefix: str) -> Tally:
    bins = Calibration(
        np.array(row[f"{prefix}bin_px"], np.int64),
        np.array(row[f"{prefix}bin_correct"], np.int64),
        np.array(row[f"{prefix}bin_confidence"], np.float64),
    )
    confusion = np.array(row[f"{prefix}confusion"], np.int64).reshape(classes, classes)
    return Tally(confusion, bins, row[f"{prefix}unmapped_px"], 1)
