"""Labels on the grid of a map: test ground, each pixel once, without the ground used for training."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from clairemap.classes import IGNORE_INDEX
from clairemap.grid.mapping import PixelMapping
from clairemap.grid.window import Window
from clairemap.raster.store import GridStore

UNUSED, TEST, LEARNT = range(3)
"""Roles of a tile: neither, labels to score with, labels that the training or its validation used."""

LARGEST_READ_PX = 2048**2
"""Maximum number of label pixels read at once; on maps much coarser than the scene, windows are divided."""


@dataclass(frozen=True)
class LabelledScene:
    """A scene with labels, on the grid of a map.

    Attributes:
        store: the scene's pair.
        grid: grid of the map.
        footprint: window of the map that contains the scene.
        roles: role of each of the scene's tiles, (tile row, tile column).
    """

    store: GridStore
    grid: GeoBox
    footprint: Window
    roles: NDArray[np.uint8]

    @cached_property
    def _mapping(self) -> PixelMapping:
        return PixelMapping(self.grid, self.store.geobox)

    @property
    def is_tested(self) -> bool:
        """Whether the scene has labels to score with."""
        return bool((self.roles == TEST).any())

    def labels(self, window: Window) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return labels and roles of a window of the map, both (y, x).

        A map pixel has the label of the scene pixel that contains its centre, IGNORE_INDEX outside the scene. If the
        pixels of both grids coincide, this is an exact copy.
        """
        rows, columns = self._positions(window)
        height, width = self.store.shape
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        if not inside.any():
            return np.full(window.shape, IGNORE_INDEX, np.uint8), np.zeros(window.shape, np.uint8)
        rows, columns = (np.broadcast_to(each, window.shape) for each in (rows, columns))
        y0, x0 = int(rows[inside].min()), int(columns[inside].min())
        source = Window(y0, x0, int(rows[inside].max()) + 1 - y0, int(columns[inside].max()) + 1 - x0)
        if source.height * source.width > LARGEST_READ_PX and max(window.shape) > 1:
            return self._by_halves(window)
        read = self.store.read("label", source)
        rows, columns = rows.clip(y0, source.y1 - 1), columns.clip(x0, source.x1 - 1)
        labels = np.where(inside, read[rows - y0, columns - x0], np.uint8(IGNORE_INDEX))
        tile_px = self.store.tile_px
        return labels, np.where(inside, self.roles[rows // tile_px, columns // tile_px], np.uint8(UNUSED))

    def _positions(self, window: Window) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the row and column of the scene pixel of each map pixel; shapes broadcast to the window's."""
        offset = self._mapping.whole_offset_px
        if offset is not None:
            rows = np.arange(window.y0, window.y1, dtype=np.int64)[:, None] + offset.dy
            return rows, np.arange(window.x0, window.x1, dtype=np.int64)[None] + offset.dx
        y, x = self._mapping.coordinates(window)
        return np.floor(y + 0.5).astype(np.int64), np.floor(x + 0.5).astype(np.int64)

    def _by_halves(self, window: Window) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        height, width = window.shape
        if height >= width:
            top = height // 2
            parts = Window(window.y0, window.x0, top, width), Window(window.y0 + top, window.x0, height - top, width)
        else:
            left = width // 2
            parts = (
                Window(window.y0, window.x0, height, left),
                Window(window.y0, window.x0 + left, height, width - left),
            )
        found = [self.labels(part) for part in parts]
        axis = 0 if height >= width else 1
        labels, roles = (np.concatenate([each[layer] for each in found], axis) for layer in (0, 1))
        return labels, roles


@dataclass(frozen=True)
class Ground:
    """Labels (y, x) to score a window of a map with, IGNORE_INDEX elsewhere, and numbers of labelled pixels.

    Attributes:
        truth: class indices.
        training_px: pixels with a test label left out because the training or its validation used labels there.
        shared_px: other pixels with labels of several test scenes, which count once.
        disagreeing_px: those of them that are left out because their labels differ.
    """

    truth: NDArray[np.uint8]
    training_px: int
    shared_px: int
    disagreeing_px: int


def ground_to_score(scenes: Sequence[LabelledScene], window: Window) -> Ground:
    """Return the test labels of a window of a map. The order of the scenes has no effect."""
    truth = np.full(window.shape, IGNORE_INDEX, np.uint8)
    shared, disagreeing, learnt = (np.zeros(window.shape, np.bool_) for _ in range(3))
    for scene in scenes:
        inside = window.intersection(scene.footprint)
        if inside.is_empty:
            continue
        place = inside.relative_to(window).slices
        labels, roles = scene.labels(inside)
        labelled = labels != IGNORE_INDEX
        learnt[place] |= labelled & (roles == LEARNT)
        tested = labelled & (roles == TEST)
        before = truth[place]
        again = tested & (before != IGNORE_INDEX)
        shared[place] |= again
        disagreeing[place] |= again & (labels != before)
        np.copyto(before, labels, where=tested & ~again)
    training_px = int(np.count_nonzero(learnt & (truth != IGNORE_INDEX)))
    truth[learnt | disagreeing] = IGNORE_INDEX
    return Ground(truth, training_px, *(int(np.count_nonzero(each & ~learnt)) for each in (shared, disagreeing)))
