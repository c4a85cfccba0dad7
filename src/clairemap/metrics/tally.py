"""Counts per tile, their sums, and their conversion to and from ``scores.parquet``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clairemap.artefacts.scores import PixelCounts, TilePlace, TileScores, read_scores, write_scores
from clairemap.classes import IGNORE_INDEX
from clairemap.errors import StoreError
from clairemap.metrics.calibration import Calibration, calibration
from clairemap.metrics.confusion import Confusion, confusion_matrix
from clairemap.metrics.decision import decide


@dataclass(frozen=True)
class Tally:
    """Counts of `tiles` tiles; they add up exactly. Figures are computed from the sum.

    `unmapped_px` counts labelled pixels without a mapped class.
    """

    confusion: Confusion
    calibration: Calibration
    unmapped_px: int
    tiles: int

    @classmethod
    def empty(cls, classes: int) -> "Tally":
        """Return zero counts."""
        return cls(np.zeros((classes, classes), np.int64), Calibration.empty(), 0, 0)

    def __add__(self, other: "Tally") -> "Tally":
        """Return the sum of two counts."""
        return Tally(
            self.confusion + other.confusion,
            self.calibration + other.calibration,
            self.unmapped_px + other.unmapped_px,
            self.tiles + other.tiles,
        )


def tally(truth: NDArray[np.uint8], probability: NDArray[np.uint8]) -> Tally:
    """Return the counts of one tile.

    Args:
        truth: class indices (y, x) of the labels, IGNORE_INDEX where unlabelled.
        probability: (class, y, x) in 1/255; 0 in all classes where unmapped.
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
    """Counts of one tile, and its row and column in the tile grid of the scene.

    `both` counts only pixels that both sensors see, to compare maps from one and two sensors.
    """

    scene: str
    row: int
    col: int
    counts: Tally
    both: Tally


def write_tallies(path: Path, tallies: Sequence[TileTally], stamp: Mapping[str, str]) -> None:
    """Write the tiles of a scene as ``scores.parquet``, one row each, atomically."""
    write_scores(path, [_scores(tile) for tile in tallies], stamp)


def read_tallies(path: Path, classes: int) -> list[TileTally]:
    """Return the tiles of a scene's ``scores.parquet``.

    Raises:
        StoreError: the file is missing, damaged, or has another number of classes.
    """
    try:
        return [_tile(scores, classes) for scores in read_scores(path)]
    except ValueError as error:
        raise StoreError(
            f"{path}: not a valid score table for {classes} classes ({error}); delete it and run score_tiles again"
        ) from None


def _scores(tile: TileTally) -> TileScores:
    return TileScores(TilePlace(tile.scene, tile.row, tile.col), _plain(tile.counts), _plain(tile.both))


def _plain(counts: Tally) -> PixelCounts:
    bins = counts.calibration
    return PixelCounts(
        tuple(counts.confusion.ravel().tolist()),
        counts.unmapped_px,
        tuple(bins.px.tolist()),
        tuple(bins.correct.tolist()),
        tuple(bins.confidence.tolist()),
    )


def _tile(scores: TileScores, classes: int) -> TileTally:
    place = scores.place
    return TileTally(place.scene, place.row, place.col, _tally(scores.counts, classes), _tally(scores.both, classes))


def _tally(counts: PixelCounts, classes: int) -> Tally:
    bins = Calibration(
        np.array(counts.bin_px, np.int64),
        np.array(counts.bin_correct, np.int64),
        np.array(counts.bin_confidence, np.float64),
    )
    confusion = np.array(counts.confusion, np.int64).reshape(classes, classes)
    return Tally(confusion, bins, counts.unmapped_px, 1)
