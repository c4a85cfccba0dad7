"""Confusion matrices: what the labels say against what the map says, counted in pixels."""

import numpy as np
from numpy.typing import NDArray

from clairemap.classes import IGNORE_INDEX
from clairemap.errors import StoreError

Confusion = NDArray[np.int64]
"""(class, class): rows are the truth, columns the map."""


def confusion_matrix(truth: NDArray[np.uint8], mapped: NDArray[np.uint8], classes: int) -> Confusion:
    """Return the confusion matrix of a window; its sums over windows are the matrix of the whole.

    Args:
        truth: class indices of the labels, IGNORE_INDEX where there is none.
        mapped: class indices of the map, of the same shape; IGNORE_INDEX where there is none.
        classes: number of classes; the matrix has that many rows and columns.

    Raises:
        StoreError: an index is neither a class nor IGNORE_INDEX.
    """
    key = truth.astype(np.uint16)
    key <<= 8
    key |= mapped
    table = np.bincount(key.ravel(), minlength=256 * 256).reshape(256, 256)
    counted = table[:classes, :classes].astype(np.int64)
    left_out = table[IGNORE_INDEX].sum() + table[:IGNORE_INDEX, IGNORE_INDEX].sum()
    if foreign := truth.size - int(counted.sum()) - int(left_out):
        raise StoreError(
            f"{foreign} of {truth.size} pixels hold a class index that is not below {classes}, the size of the "
            "legend: the stores were made with another legend; delete them and run again"
        )
    return counted
