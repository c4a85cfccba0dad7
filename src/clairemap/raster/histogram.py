"""How many pixels have each value: of class codes, class indices, percentages, any ``uint8`` raster."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

VALUES = 256


def histogram(values: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the number of pixels of each value, (256,).

    Pillow counts 4 million pixels in 1 to 8 ms, `numpy.bincount` in 9 to 21 ms; comparing with one class code after
    the other takes 0.5 ms for each code.

    Args:
        values: of any shape.
    """
    if not values.size:
        return np.zeros(VALUES, np.int64)
    return np.array(Image.fromarray(values.reshape(1, -1)).histogram(), np.int64)


def histogram_by_row(values: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the number of pixels of each value in each row, (y, 256).

    One count for all rows: for rows of 1024 pixels five times as fast as Pillow row by row.

    Args:
        values: (y, x).
    """
    height = len(values)
    keys = values + np.arange(height, dtype=np.uint32)[:, None] * VALUES
    return np.bincount(keys.ravel(), minlength=height * VALUES).reshape(height, VALUES)
