"""Counts of the finished maps of a region against the labels of the test ground."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clairemap.classes import IGNORE_INDEX, MAP_NODATA, Legend
from clairemap.grid.tiles import tiles
from clairemap.grid.window import Window
from clairemap.metrics.bootstrap import BlockSums
from clairemap.metrics.boundary import boundary_counts
from clairemap.metrics.calibration import Calibration
from clairemap.metrics.confusion import confusion_matrix
from clairemap.metrics.finer_counts import FinerCounts
from clairemap.metrics.label_ground import LabelledScene, ground_to_score
from clairemap.metrics.tally import Tally
from clairemap.raster.source import RasterSource

TILE_PX = 256
BLOCK_PX = 2 * TILE_PX
"""Tiles and blocks of the map's grid: boundaries are judged within tiles, blocks are drawn for intervals."""

UNKNOWN_INDEX = 254
"""Index of codes that are no class, which no legend has."""


@dataclass(frozen=True)
class MapCounts:
    """Counts of maps on test ground, and of labelled pixels by how they were treated (see `label_ground.Ground`).

    `counts` has no calibration, since maps have no probabilities of all classes.
    """

    counts: Tally
    finer: FinerCounts
    blocks: BlockSums
    training_px: int = 0
    shared_px: int = 0
    disagreeing_px: int = 0


def summed(parts: Iterable[MapCounts], classes: int) -> MapCounts:
    """Return the sum of counts, with all their blocks in order."""
    counts, finer = Tally.empty(classes), FinerCounts.empty(classes)
    blocks = [np.zeros((0, 3, classes), np.int64)]
    pixels = np.zeros(3, np.int64)
    for part in parts:
        counts, finer = counts + part.counts, finer + part.finer
        blocks.append(part.blocks.counts)
        pixels += part.training_px, part.shared_px, part.disagreeing_px
    return MapCounts(counts, finer, BlockSums(np.concatenate(blocks)), *pixels.tolist())


def map_counts(source: RasterSource, scenes: Sequence[LabelledScene], legend: Legend, tolerance_px: int) -> MapCounts:
    """Return the counts of a land-cover map (legend codes, one band) on test ground.

    Reads the blocks that test scenes reach, one at a time: about 20 MB for maps of any size, and 24 bytes per class and
    block with scored pixels.

    Raises:
        StoreError: labels are damaged, or map or labels have a class that is not in the legend.
    """
    index_of_code = np.full(256, UNKNOWN_INDEX, np.uint8)
    index_of_code[MAP_NODATA] = IGNORE_INDEX
    index_of_code[legend.codes] = np.arange(len(legend))

    def of_block(window: Window, touching: Sequence[LabelledScene]) -> MapCounts:
        ground = ground_to_score(touching, window)
        mapped = index_of_code[source.read(window, (1,)).values[0]]
        counted = _counted(ground.truth, mapped, len(legend), tolerance_px)
        return MapCounts(*counted, ground.training_px, ground.shared_px, ground.disagreeing_px)

    return summed((of_block(window, touching) for window, touching in _blocks(scenes, source.shape)), len(legend))


def _counted(
    truth: NDArray[np.uint8], mapped: NDArray[np.uint8], classes: int, tolerance_px: int
) -> tuple[Tally, FinerCounts, BlockSums]:
    """Return the counts of one block."""
    counts, finer = Tally.empty(classes), FinerCounts.empty(classes)
    for tile in tiles((truth.shape[0], truth.shape[1]), TILE_PX):
        labels, found = truth[tile.window.slices], mapped[tile.window.slices]
        if (labels == IGNORE_INDEX).all():
            continue
        unmapped = int(np.count_nonzero((labels != IGNORE_INDEX) & (found == IGNORE_INDEX)))
        counts += Tally(confusion_matrix(labels, found, classes), Calibration.empty(), unmapped, 1)
        finer += FinerCounts(boundary_counts(labels, found, classes, tolerance_px), 0.0)
    matrix = counts.confusion
    sums = np.stack([np.diagonal(matrix), matrix.sum(1), matrix.sum(0)])[None]
    return counts, finer, BlockSums(sums[sums[:, 1].any(axis=1)])


def _blocks(scenes: Sequence[LabelledScene], shape: tuple[int, int]) -> Iterator[tuple[Window, list[LabelledScene]]]:
    """Yield the blocks of a map that test scenes reach, row by row, with all scenes that reach them."""
    touching: dict[tuple[int, int], list[LabelledScene]] = {}
    for scene in sorted(scenes, key=lambda each: not each.is_tested):
        blocks = scene.footprint.clipped(shape)
        if blocks.is_empty:
            continue
        blocks = blocks.coarsened(BLOCK_PX)
        for tile in tiles(blocks.shape, 1):
            place = blocks.y0 + tile.row, blocks.x0 + tile.col
            if scene.is_tested:
                touching.setdefault(place, []).append(scene)
            elif place in touching:
                touching[place].append(scene)
    for (row, column), here in sorted(touching.items(), key=lambda item: item[0]):
        yield Window(row * BLOCK_PX, column * BLOCK_PX, BLOCK_PX, BLOCK_PX).clipped(shape), here
