"""Windows whose halo is too small to be exact, blended into each other so that no seam shows."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from clairemap.grid.cover import Step
from clairemap.grid.window import Window
from clairemap.inference.probabilities import PROBABILITY, SHARE_NODATA
from clairemap.inference.writing import CoreResult, write_shard
from clairemap.raster.store import GridStore


def widened(step: Step, blend_px: int, shape: tuple[int, int]) -> Step:
    """Return the step with a core that reaches `blend_px` into its neighbours; at the scene's edges it ends there."""
    return Step(step.outer, step.core.grown(blend_px).clipped(shape))


def ramps(core: Window, blend_px: int, shape: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the weights of a core's rows and columns when widened: those of all cores add up to 1 at each pixel.

    They grow linearly over the 2 * `blend_px` pixels that a core, at least as large, shares with its neighbour. At
    the scene's edge there is no neighbour, and the weight is 1 up to it.
    """
    edges = ((core.y0, core.y1, shape[0]), (core.x0, core.x1, shape[1]))
    rows, columns = (_ramp(start, stop, size, blend_px) for start, stop, size in edges)
    return rows, columns


def _ramp(start: int, stop: int, size: int, blend_px: int) -> NDArray[np.float32]:
    place = np.arange(max(start - blend_px, 0), min(stop + blend_px, size), dtype=np.float32) + np.float32(0.5)
    rising = (place - start + blend_px) / (2 * blend_px) if start > 0 else np.ones_like(place)
    falling = (stop + blend_px - place) / (2 * blend_px) if stop < size else np.ones_like(place)
    return np.minimum(np.minimum(rising, falling), np.float32(1)).astype(np.float32)


def reached_shards(store: GridStore, core: Window, blend_px: int) -> Iterator[Window]:
    """Yield the shards in which the widened core has pixels."""
    side, wide = store.shard_px, core.grown(blend_px).clipped(store.shape)
    for y0 in range(wide.y0 // side * side, wide.y1, side):
        for x0 in range(wide.x0 // side * side, wide.x1, side):
            yield Window(y0, x0, side, side).clipped(store.shape)


class BlendingWriter:
    """Adds up windows under their weights, and writes each shard when all windows that reach it have come.

    Memory: of a row of shards and two more, 4 * (classes + 1) bytes for each pixel: it grows with the scene's width.
    """

    def __init__(self, store: GridStore, blend_px: int, steps: Sequence[Step], shards: Sequence[Window]) -> None:
        self._store = store
        self._blend_px = blend_px
        self._wanted = set(shards)
        self._sums: dict[Window, NDArray[np.float32]] = {}
        self._awaited = Counter(shard for step in steps for shard in self._reached(step.core))

    def put(self, core: Window, result: CoreResult | None) -> None:
        """Take a core's widened result, None if it has no valid pixel; raises what `writing.write_shard` raises."""
        for shard in self._reached(core):
            if result is not None:
                self._add(shard, core, result)
            self._awaited[shard] -= 1
            if not self._awaited[shard] and shard in self._sums:
                self._write(shard, self._sums.pop(shard))

    def finish(self) -> None:
        """Do nothing: all shards are written as soon as they are whole."""

    def _reached(self, core: Window) -> list[Window]:
        return [shard for shard in reached_shards(self._store, core, self._blend_px) if shard in self._wanted]

    def _add(self, shard: Window, core: Window, result: CoreResult) -> None:
        if shard not in self._sums:
            classes = self._store.array(PROBABILITY).shape[0]
            self._sums[shard] = np.zeros((classes + 2, *shard.shape), np.float32)
        shared = shard.intersection(result.core)
        source, target = shared.relative_to(result.core).slices, shared.relative_to(shard).slices
        rows, columns = ramps(core, self._blend_px, self._store.shape)
        weight = rows[source[0], None] * columns[source[1]]
        sums = self._sums[shard]
        for index, probability in enumerate(result.probability):
            sums[index][target] += weight * probability[source]
        share = result.optical_share[source]
        weight = weight * (share != SHARE_NODATA)
        sums[-2][target] += weight * share
        sums[-1][target] += weight

    def _write(self, shard: Window, sums: NDArray[np.float32]) -> None:
        weight = np.where(sums[-1] > 0, sums[-1], np.float32(1))
        share = np.where(sums[-1] > 0, np.round(sums[-2] / weight), SHARE_NODATA).astype(np.uint8)
        write_shard(self._store, CoreResult(shard, np.round(sums[:-2]).astype(np.uint8), share))
