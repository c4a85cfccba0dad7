"""Counts per tile, their sums, and their conversion to and from ``scores.parquet``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clairemap.artefacts.tile_counts import (
    FinerPixelCounts,
    PixelCounts,
    TileCounts,
    read_tile_counts,
    write_tile_counts,
)
from clairemap.artefacts.tiles import TileId
from clairemap.classes import IGNORE_INDEX
from clairemap.errors import StoreError
from clairemap.metrics.calibration import Calibration, calibration
from clairemap.metrics.confusion import Confusion, confusion_matrix
from clairemap.metrics.finer_counts import FinerCounts
from clairemap.raster.most_probable import most_probable

BIN = "bin_"
"""Prefix of the names of calibration counts."""


@dataclass(frozen=True)
class Tally:
    """Counts of `tiles` tiles; they add up exactly. Figures are computed from the sum.

    `unmapped_px` counts labelled pixels without a mapped class. Each count but `tiles` has a field of its name in
    `PixelCounts`.
    """

    confusion: Confusion
    calibration: Calibration
    unmapped_px: int
    tiles: int

    @classmethod
    def empty(cls, classes: int) -> "Tally":
        """Return zero counts."""
        unlabelled = np.full((1, 1), IGNORE_INDEX, np.uint8)
        return replace(tally(unlabelled, np.zeros((classes, 1, 1), np.uint8)), tiles=0)

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> "Tally":
        """Return the counts with these values, see `arrays`."""
        bins = Calibration(**{field.name: arrays[f"{BIN}{field.name}"] for field in fields(Calibration)})
        others = ((field.name, arrays[field.name]) for field in fields(cls) if field.name != "calibration")
        counts: dict[str, Any] = {name: values if values.ndim else values.item() for name, values in others}
        return cls(calibration=bins, **counts)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all counts by name, those of the calibration with the prefix BIN; single numbers have no axes."""
        names = (field.name for field in fields(self) if field.name != "calibration")
        counts = {name: np.asarray(getattr(self, name)) for name in names}
        bins = {f"{BIN}{field.name}": getattr(self.calibration, field.name) for field in fields(Calibration)}
        return counts | bins

    def __add__(self, other: "Tally") -> "Tally":
        """Return the sum of two counts."""
        others = other.arrays()
        return Tally.of({name: values + others[name] for name, values in self.arrays().items()})


def tally(truth: NDArray[np.uint8], probability: NDArray[np.uint8]) -> Tally:
    """Return the counts of one tile.

    Args:
        truth: class indices (y, x) of the labels, IGNORE_INDEX where unlabelled.
        probability: (class, y, x) in 1/255; 0 in all classes where unmapped.
    """
    mapped = most_probable(probability)
    labelled = truth != IGNORE_INDEX
    return Tally(
        confusion_matrix(truth, mapped.index, len(probability)),
        calibration(truth, mapped),
        int(np.count_nonzero(labelled & (mapped.index == IGNORE_INDEX))),
        1,
    )


@dataclass(frozen=True)
class TileTally:
    """Counts of one tile.

    `both` counts only pixels usable in both sensors, to compare maps from one and two sensors. `finer` counts the
    pixels of `counts`.
    """

    id: TileId
    counts: Tally
    both: Tally
    finer: FinerCounts


def write_tallies(path: Path, tallies: Sequence[TileTally], stamp: Mapping[str, str]) -> None:
    """Write the tiles of a scene as ``scores.parquet``, one row each, atomically."""
    write_tile_counts(path, [_tile_counts(tile) for tile in tallies], stamp)


def read_tallies(path: Path, classes: int) -> list[TileTally]:
    """Return the tiles of a scene's ``scores.parquet``.

    Raises:
        StoreError: the file is missing, damaged, or has another number of classes.
    """
    try:
        zero = Tally.empty(classes).arrays()
        return [_tile_tally(tile, zero) for tile in read_tile_counts(path)]
    except ValueError as error:
        raise StoreError(
            f"{path}: not a valid score table for {classes} classes ({error}); delete it and run score_tiles again"
        ) from None


def _tile_counts(tile: TileTally) -> TileCounts:
    finer = FinerPixelCounts(tuple(tile.finer.boundary.ravel().tolist()), tile.finer.entropy)
    return TileCounts(tile.id, _pixel_counts(tile.counts), _pixel_counts(tile.both), finer)


def _pixel_counts(counts: Tally) -> PixelCounts:
    arrays = ((name, values) for name, values in counts.arrays().items() if name != "tiles")
    columns: dict[str, Any] = {
        name: tuple(values.ravel().tolist()) if values.ndim else values.item() for name, values in arrays
    }
    return PixelCounts(**columns)


def _tile_tally(tile: TileCounts, zero: Mapping[str, NDArray[Any]]) -> TileTally:
    shape = 4, len(zero["confusion"])
    finer = FinerCounts(np.array(tile.finer.boundary, np.int64).reshape(shape), tile.finer.entropy)
    return TileTally(tile.id, _tally(tile.counts, zero), _tally(tile.both, zero), finer)


def _tally(counts: PixelCounts, zero: Mapping[str, NDArray[Any]]) -> Tally:
    """Return the counts of one tile as arrays with the shapes and types of `zero`."""
    columns = {
        field.name: np.array(getattr(counts, field.name), zero[field.name].dtype).reshape(zero[field.name].shape)
        for field in fields(PixelCounts)
    }
    return Tally.of({**columns, "tiles": np.array(1)})
