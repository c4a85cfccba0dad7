"""How far inside a scene a pixel lies: the weight with which scenes are blended where they overlap."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from clairemap.grid.tiles import row_bands
from clairemap.inference.probabilities import OPTICAL_SHARE, SHARE_NODATA
from clairemap.raster.store import GridStore

CELL_PX = 16
RAMP_PX = 128
"""Distance from the scene's valid edge at which its weight reaches 1."""

LEAST_WEIGHT = 1e-3
"""Weight right at the edge: more than 0, so that a scene counts wherever it is the only one."""


@dataclass(frozen=True)
class Feather:
    """Distance to the nearest invalid area, in px, at the centres of cells of 16 px.

    One ring of cells outside the scene belongs to it. An area is invalid if at least half of a cell is, so
    that single invalid pixels make no holes in the weights. Memory: 4 byte for 256 px of the scene.
    """

    distance: NDArray[np.float32]

    @classmethod
    def of(cls, store: GridStore) -> "Feather":
        """Return the distances of a probability store, read by bands of rows."""
        counts = [_valid_px(store.read(OPTICAL_SHARE, band)) for band in row_bands(store.shape, store.tile_px)]
        inside = np.pad(np.concatenate(counts) * 2 > CELL_PX * CELL_PX, 1)
        cells = distance_transform_edt(inside) - 0.5  # 0 on the border between valid and invalid cells
        return cls((cells * CELL_PX).astype(np.float32))

    def weights(self, y: NDArray[np.floating], x: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return weights 0.001..1 at pixel positions of the scene.

        Args:
            y: row positions (a pixel's centre is at .5); broadcast with `x` to the shape of the answer.
            x: column positions.
        """
        rows, columns = (
            np.clip(place / CELL_PX + 0.5, 0, size - 1).astype(np.float32)
            for place, size in zip((y, x), self.distance.shape, strict=True)
        )
        top, left = (
            np.minimum(place.astype(np.intp), size - 2)
            for place, size in zip((rows, columns), self.distance.shape, strict=True)
        )
        down, right = rows - top, columns - left
        above = self.distance[top, left] * (1 - right) + self.distance[top, left + 1] * right
        below = self.distance[top + 1, left] * (1 - right) + self.distance[top + 1, left + 1] * right
        weights = np.clip((above * (1 - down) + below * down) / RAMP_PX, LEAST_WEIGHT, 1)
        return np.asarray(weights, np.float32)


def _valid_px(share: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the number of valid pixels in each cell of a band of rows that starts at a cell's edge."""
    height, width = share.shape
    valid = np.pad(share != SHARE_NODATA, ((0, -height % CELL_PX), (0, -width % CELL_PX)))
    cells = valid.reshape(valid.shape[0] // CELL_PX, CELL_PX, valid.shape[1] // CELL_PX, CELL_PX)
    return np.asarray(cells.sum(axis=(1, 3)))
