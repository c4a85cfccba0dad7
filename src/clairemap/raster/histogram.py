"""Histograms of ``uint8`` rasters: class codes, class indices, percentages."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

VALUES = 256


def histogram(values: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the number of pixels of each value, (256,), of an array of any shape.

    Time for 4 million pixels: Pillow 1 to 8 ms, `numpy.bincount` 9 to 21 ms.
    """
    if not values.size:
        return np.zeros(VALUES, np.int64)
    return np.array(Image.fromarray(values.reshape(1, -1)).histogram(), np.int64)


def histogram_by_row(values: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the number of pixels of each value in each row of an array (y, x), as (y, 256)."""
    height = len(values)
    keys = values + np.arange(height, dtype=np.uint32)[:, None] * VALUES
    return np.bincount(keys.ravel(), minlength=height * VALUES).reshape(height, VALUES)
