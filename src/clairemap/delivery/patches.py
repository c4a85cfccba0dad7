"""Patches of a class map: pixels of one class that are connected by their sides (4-connected)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from clairemap.classes import MAP_NODATA
from clairemap.grid.window import Window


@dataclass(frozen=True)
class Patches:
    """Patches of a window.

    Attributes:
        labels: (y, x), int32: number of each pixel's patch, from 1; 0 where the map is nodata.
        codes: (patch + 1,), uint8: class code of each patch; that of patch 0 is nodata.
    """

    labels: NDArray[np.int32]
    codes: NDArray[np.uint8]

    @classmethod
    def of(cls, values: NDArray[np.uint8]) -> "Patches":
        """Return the patches of class codes (y, x), numbered by class, then by position."""
        labels, found = np.zeros(values.shape, np.int32), np.empty(values.shape, np.int32)
        codes, count = [np.array([MAP_NODATA], np.uint8)], 0
        for code in np.flatnonzero(np.bincount(values.ravel(), minlength=MAP_NODATA + 1)[:MAP_NODATA]):
            number = ndimage.label(values == code, output=found)
            found[found > 0] += count
            labels += found
            codes.append(np.full(number, code, np.uint8))
            count += number
        return cls(labels, np.concatenate(codes))

    def __len__(self) -> int:
        """Return the number of patches, with the nodata as patch 0."""
        return len(self.codes)

    def sums(self, values: NDArray[Any] | None = None) -> NDArray[np.float64]:
        """Return the sum of values (y, x) over each patch, (patch + 1,); the number of pixels without values.

        Exact for integers below 2^53.
        """
        weights = None if values is None else values.ravel()
        return np.bincount(self.labels.ravel(), weights, len(self)).astype(np.float64, copy=False)

    def first_pixels(self) -> NDArray[np.int64]:
        """Return the index of each patch's first pixel in row order, (patch + 1,); undefined for nodata."""
        first = np.zeros(len(self), np.int64)
        flat = self.labels.ravel()
        first[flat[::-1]] = np.arange(len(flat) - 1, -1, -1)
        return first

    def at_open_sides(self, window: Window, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Return which patches touch a side of the window that is not a side of the map, (patch + 1,).

        Args:
            window: the window of the patches.
            shape: (height, width) of the map.
        """
        touching = np.zeros(len(self), bool)
        for is_open, line in (
            (window.y0 > 0, self.labels[0]),
            (window.y1 < shape[0], self.labels[-1]),
            (window.x0 > 0, self.labels[:, 0]),
            (window.x1 < shape[1], self.labels[:, -1]),
        ):
            if is_open:
                touching[line] = True
        touching[0] = False
        return touching
