"""Map of a region: blend overlapping scenes, then choose the most probable class of each pixel."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from dask import config
from dask.base import compute
from dask.delayed import delayed
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from clairemap.classes import MAP_NODATA
from clairemap.console import progress
from clairemap.grid.tiles import tiles
from clairemap.grid.window import Window
from clairemap.inference.placement import PixelPrediction, PlacedScene, SceneBlock
from clairemap.raster.most_probable import most_probable

BLOCK_PX = 1024
"""Side of the blocks to compute at once, a multiple of the map files' blocks."""

BLOCKS_FOR_EACH_THREAD = 2
"""Blocks computed per thread before any is written, so that threads rarely wait for a slow block."""

BLEND_ROWS = 32
"""Rows blended at once: their probabilities fit into the processor's cache."""

LARGEST_COUNT = 254


@dataclass(frozen=True)
class MapBlock:
    """A window of the region's map; all uint8 (y, x), 255 where no scene has a result.

    `landcover` contains class codes, `confidence` the probability of the class in percent, `optical_share` percent,
    `source_count` the number of scenes with a result (1..254). `probability` (class, y, x) is 0..255, 0 without a
    result; None if it is not kept.
    """

    window: Window
    landcover: NDArray[np.uint8]
    confidence: NDArray[np.uint8]
    optical_share: NDArray[np.uint8]
    source_count: NDArray[np.uint8]
    probability: NDArray[np.uint8] | None = None

    @classmethod
    def empty(cls, window: Window, kept_classes: int = 0) -> "MapBlock":
        """Return a block without results; with probabilities of `kept_classes` classes unless it is 0."""
        probability = np.zeros((kept_classes, *window.shape), np.uint8) if kept_classes else None
        landcover, confidence, share, count = (np.full(window.shape, MAP_NODATA, np.uint8) for _ in range(4))
        return cls(window, landcover, confidence, share, count, probability)


def mosaic(
    scenes: Sequence[PlacedScene],
    grid: GeoBox,
    codes: NDArray[np.uint8],
    threads: int = 1,
    *,
    keep_probability: bool = False,
) -> Iterator[MapBlock]:
    """Yield the blocks of the map, top to bottom, left to right; blocks without results are skipped.

    Where scenes overlap, probabilities and shares are averaged with weights that increase over 128 px from the edge of
    each scene's mapped pixels. Ties between classes go to the first.

    Dask computes several blocks at a time, in threads, or in a cluster if a `dask.distributed` client is active. Memory
    does not depend on the size of the region: per thread 8 MiB of finished blocks and, per scene in the block, 1 byte
    per class and pixel; another 16 bytes per pixel if the scene is resampled, or 5 bytes per class and pixel if it is
    finer than the grid (by less than a factor of 1000).

    Args:
        scenes: from `placement.place`.
        grid: the region's grid.
        codes: code of each class, in the order of the probabilities.
        threads: number of threads; ignored by a cluster.
        keep_probability: whether blocks have probabilities, another MiB per class and block.

    Raises:
        StoreError: a scene's store is damaged.
    """
    occupied = list(_blocks_with_scenes(scenes, (int(grid.shape[0]), int(grid.shape[1]))))
    at_once = BLOCKS_FOR_EACH_THREAD * threads
    batches = [occupied[start : start + at_once] for start in range(0, len(occupied), at_once)]
    for batch in progress(batches, "mosaic", len(batches)):
        tasks = [
            delayed(partial(map_block, touching, window, codes, keep_probability), pure=False)()
            for window, touching in batch
        ]
        with config.set(num_workers=threads):
            blocks = iter(compute(*tasks))  # type: ignore[no-untyped-call]
        yield from (block for block in blocks if block is not None)
        del blocks  # free them before the next ones are computed


def _blocks_with_scenes(
    scenes: Sequence[PlacedScene], shape: tuple[int, int]
) -> Iterator[tuple[Window, list[PlacedScene]]]:
    """Yield the blocks of a grid of (height, width) that intersect scenes, row by row, with these scenes."""
    touching: dict[tuple[int, int], list[PlacedScene]] = {}
    for scene in scenes:
        blocks = scene.footprint.clipped(shape).coarsened(BLOCK_PX)
        for tile in tiles(blocks.shape, 1):
            touching.setdefault((blocks.y0 + tile.row, blocks.x0 + tile.col), []).append(scene)
    for (row, column), here in sorted(touching.items(), key=lambda item: item[0]):
        yield Window(row * BLOCK_PX, column * BLOCK_PX, BLOCK_PX, BLOCK_PX).clipped(shape), here


def map_block(
    scenes: Sequence[PlacedScene], window: Window, codes: NDArray[np.uint8], keep_probability: bool = False
) -> MapBlock | None:
    """Return the map in a window of the region's grid, or None without a result."""
    scene_blocks = [each for scene in scenes if (each := scene.block(window)) is not None]
    if not scene_blocks:
        return None
    block = MapBlock.empty(window, len(codes) if keep_probability else 0)
    for rectangle in _rectangles([each.window for each in scene_blocks]):
        here = [each for each in scene_blocks if not each.window.intersection(rectangle).is_empty]
        for y0 in range(rectangle.y0, rectangle.y1, BLEND_ROWS) if here else ():
            _fill(block, Window(y0, rectangle.x0, min(BLEND_ROWS, rectangle.y1 - y0), rectangle.width), here, codes)
    return block


def _rectangles(windows: Sequence[Window]) -> Iterator[Window]:
    """Yield rectangles that cover all windows and are not crossed by the edge of any."""
    rows = sorted({edge for window in windows for edge in (window.y0, window.y1)})
    columns = sorted({edge for window in windows for edge in (window.x0, window.x1)})
    for top, bottom in zip(rows[:-1], rows[1:], strict=True):
        for left, right in zip(columns[:-1], columns[1:], strict=True):
            yield Window(top, left, bottom - top, right - left)


def _fill(block: MapBlock, strip: Window, scenes: Sequence[SceneBlock], codes: NDArray[np.uint8]) -> None:
    """Fill a strip of the block from scenes that all cover it."""
    predictions = [scene.predictions(strip) for scene in scenes]
    if len(predictions) == 1:
        merged, count = predictions[0], np.ones(strip.shape, np.uint8)
    else:
        weights = [scene.weight(strip) * each.mapped for scene, each in zip(scenes, predictions, strict=True)]
        merged, count = _blended(predictions, weights), _source_count(predictions)
    best = most_probable(merged.probability)
    layers = codes.take(best.index, mode="clip"), percent(best.probability), _rounded(merged.optical_share), count
    place = strip.relative_to(block.window).slices
    where = True if merged.mapped.all() else merged.mapped
    targets = block.landcover, block.confidence, block.optical_share, block.source_count
    for target, values in zip(targets, layers, strict=True):
        np.copyto(target[place], values, where=where)
    if block.probability is not None:
        np.copyto(block.probability[:, *place], _rounded(merged.probability), where=where)


def _blended(predictions: Sequence[PixelPrediction], weights: Sequence[NDArray[np.float32]]) -> PixelPrediction:
    """Return the weighted mean of the predictions of several scenes for the same pixels."""
    total = np.sum(weights, axis=0)
    mapped = total > 0
    np.copyto(total, 1, where=~mapped)
    probability = np.zeros(predictions[0].probability.shape, np.float32)
    share = np.zeros(total.shape, np.float32)
    for each, weight in zip(predictions, weights, strict=True):
        fraction = weight / total
        share += fraction * each.optical_share
        for target, values in zip(probability, each.probability, strict=True):
            target += fraction * values
    return PixelPrediction(probability, share, mapped)


def _source_count(predictions: Sequence[PixelPrediction]) -> NDArray[np.uint8]:
    counts = np.sum([each.mapped for each in predictions], axis=0, dtype=np.int64)
    return np.minimum(counts, LARGEST_COUNT).astype(np.uint8)


def percent(probability: NDArray[np.uint8 | np.float32]) -> NDArray[np.uint8]:
    """Return probabilities (0..255) in percent."""
    if probability.dtype == np.uint8:
        return ((probability.astype(np.uint16) * 100 + 127) // 255).astype(np.uint8)
    return _rounded(np.asarray(probability / 2.55, np.float32))


def _rounded(values: NDArray[np.uint8 | np.float32]) -> NDArray[np.uint8]:
    return np.round(values).astype(np.uint8, copy=False)
