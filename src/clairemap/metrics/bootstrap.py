"""95 % intervals of accuracy figures by a block bootstrap.

Neighbouring pixels are right or wrong together, so pixels, and tiles of 256 px, are not independent. Blocks of 2 x 2
tiles are drawn with replacement, as many as there are (Efron and Tibshirani 1993; in space: Lahiri 2003). A block of
512 px is wider than the halo of the network (usually 256 or 384 px), within which it maps from the same input.
Intervals are the percentiles 2.5 and 97.5 of the figures of all draws.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clairemap.metrics.scores import figures_of

DRAWS = 2000
SEED = 0
DRAWS_AT_ONCE = 50
"""Draws computed at once: their weights need 50 numbers per block."""

MIN_BLOCKS = 30
"""Minimum number of blocks for an interval: with 5 to 30 groups, intervals from resampled groups are too narrow
(Cameron, Gelbach and Miller 2008); benchmarks/metrics.py measures how much (`coverage_by_blocks`)."""

PERCENTILES = (2.5, 97.5)

Bounds = tuple[float, float]


@dataclass(frozen=True)
class BlockSums:
    """Correct, labelled and mapped scored pixels of each class in each block, (block, 3, class)."""

    counts: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of blocks with scored pixels."""
        return len(self.counts)

    def of_classes(self) -> NDArray[np.int64]:
        """Return the number of blocks in which each class is labelled or mapped, (class,)."""
        return np.asarray(self.counts[:, 1:].any(axis=1).sum(axis=0), np.int64)


@dataclass(frozen=True)
class Bootstrap:
    """Intervals of the figures; None with too few blocks, for a class with too few that contain it."""

    miou: Bounds | None
    oa: Bounds | None
    f1: Bounds | None
    iou: tuple[Bounds | None, ...]


def bootstrap(blocks: BlockSums, min_blocks: int = MIN_BLOCKS) -> Bootstrap:
    """Return the intervals. Equal blocks in the same order give equal intervals.

    A class that a draw does not have is left out of its mIoU and F1, as in `scores`. Memory: 3 numbers per class and
    block, and 50 numbers per block.
    """
    classes = blocks.counts.shape[2]
    if len(blocks) < min_blocks:
        return Bootstrap(None, None, None, (None,) * classes)
    drawn = _draws(blocks)
    figures = figures_of(drawn[:, 0], drawn[:, 1], drawn[:, 2])
    enough = blocks.of_classes() >= min_blocks
    return Bootstrap(
        _bounds(figures.miou),
        _bounds(figures.oa),
        _bounds(figures.mean_f1),
        tuple(_bounds(figures.iou[:, c]) if enough[c] else None for c in range(classes)),
    )


def _draws(blocks: BlockSums) -> NDArray[np.float64]:
    """Return the sums of each draw, (draw, 3, class): whole numbers, exact as float64."""
    rng = np.random.default_rng(SEED)
    count, shape = len(blocks), blocks.counts.shape[1:]
    flat = blocks.counts.reshape(count, -1).astype(np.float64)
    equal = np.full(count, 1 / count)
    parts = [rng.multinomial(count, equal, DRAWS_AT_ONCE) @ flat for _ in range(DRAWS // DRAWS_AT_ONCE)]
    return np.concatenate(parts).reshape(DRAWS, *shape)


def _bounds(values: NDArray[np.float64]) -> Bounds:
    low, high = np.nanpercentile(values, PERCENTILES)
    return float(low), float(high)
