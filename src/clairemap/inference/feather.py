"""Weights for blending overlapping scenes, by distance from the edge of mapped pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from clairemap.classes import SHARE_NODATA
from clairemap.grid.rounding import align_up
from clairemap.grid.tiles import row_bands
from clairemap.grid.window import Window
from clairemap.inference.probabilities import OPTICAL_SHARE
from clairemap.raster.store import GridStore

CELL_PX = 16
RAMP_PX = 128
"""Distance from unmapped areas at which the weight reaches 1."""

MAX_DISTANCE_PX = 1024

MIN_WEIGHT = 1e-3
"""Weight at the edge: above 0, so that a pixel of a single scene gets a result."""


@dataclass(frozen=True)
class Feather:
    """Distance in px to the nearest unmapped cell, at the centres of cells of 16 x 16 px and a ring around the scene.

    A cell is unmapped if at least half of its pixels are, so that single unmapped pixels have no effect. Distances are
    clipped at 1024 and stored as float16 (0.06 px precision at the end of the ramp): 2 bytes per 256 px.
    """

    distance: NDArray[np.float16]

    @classmethod
    def of(cls, store: GridStore) -> "Feather":
        """Return the distances of a probability store; reads it by bands of rows."""
        counts = [_valid_px(store.read(OPTICAL_SHARE, band)) for band in row_bands(store.shape, store.tile_px)]
        inside = np.pad(np.concatenate(counts) * 2 > CELL_PX * CELL_PX, 1)
        cells = distance_transform_edt(inside) - 0.5  # 0 on the border between mapped and unmapped cells
        return cls(np.minimum(cells * CELL_PX, MAX_DISTANCE_PX).astype(np.float16))

    def weights(self, y: NDArray[np.floating], x: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return weights (0.001..1) at positions in the scene, in the shape of `y` and `x`.

        Args:
            y: row positions; pixel centres are at .5.
            x: column positions.
        """
        (top, down), (left, right) = (
            _cell_and_fraction(place, size) for place, size in zip((y, x), self.distance.shape, strict=True)
        )
        above = self.distance[top, left] * (1 - right) + self.distance[top, left + 1] * right
        below = self.distance[top + 1, left] * (1 - right) + self.distance[top + 1, left + 1] * right
        return _ramp(above * (1 - down) + below * down)

    def weights_within(self, window: Window) -> NDArray[np.float32]:
        """Return the weights (0.001..1, (y, x)) of a window of the scene; same as `weights`, but faster."""
        (top, down), (left, right) = (
            _cell_and_fraction(np.arange(start, start + count) + 0.5, size)
            for start, count, size in zip((window.y0, window.x0), window.shape, self.distance.shape, strict=True)
        )
        near = self.distance[top[0] : top[-1] + 2, left[0] : left[-1] + 2].astype(np.float32)
        top, left = top - top[0], left - left[0]
        rows = near[top] * (1 - down[:, None]) + near[top + 1] * down[:, None]
        return _ramp(rows.take(left, axis=1) * (1 - right) + rows.take(left + 1, axis=1) * right)


def _cell_and_fraction(place: NDArray[np.floating], size: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return the index of the cell before each position, and the fraction (0..1) towards the next cell."""
    cells = np.clip(place / CELL_PX + 0.5, 0, size - 1).astype(np.float32)
    low = np.minimum(cells.astype(np.intp), size - 2)
    return low, (cells - low).astype(np.float32)


def _ramp(distance: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.asarray(np.clip(distance / RAMP_PX, MIN_WEIGHT, 1), np.float32)


def _valid_px(share: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Return the number of mapped pixels in each cell of a band of rows that starts at a cell edge."""
    height, width = share.shape
    mapped = np.zeros((align_up(height, CELL_PX), align_up(width, CELL_PX)), np.bool_)
    np.not_equal(share, SHARE_NODATA, out=mapped[:height, :width])
    rows = np.zeros((len(mapped) // CELL_PX, mapped.shape[1]), np.uint8)
    cells = np.zeros((len(rows), mapped.shape[1] // CELL_PX), np.uint16)
    for start in range(CELL_PX):
        rows += mapped[start::CELL_PX]
    for start in range(CELL_PX):
        cells += rows[:, start::CELL_PX]
    return cells
