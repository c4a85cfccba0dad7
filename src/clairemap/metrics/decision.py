"""Mapped class and its confidence from class probabilities."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clairemap.classes import IGNORE_INDEX


@dataclass(frozen=True)
class Decision:
    """Index of the most probable class (y, x) and its probability in 1/255 (y, x), both uint8.

    Where no sensor was usable, the index is IGNORE_INDEX and the probability 0.
    """

    index: NDArray[np.uint8]
    confidence: NDArray[np.uint8]


def decide(probability: NDArray[np.uint8]) -> Decision:
    """Return the most probable class of each pixel; ties go to the first class.

    Uses 4 bytes of memory per pixel, regardless of the number of classes.

    Args:
        probability: (class, y, x) in 1/255, uint8.
    """
    best = np.zeros(probability.shape[1:], np.uint16)
    for index, layer in enumerate(probability):
        # High byte: probability, low byte: reversed index. One maximum finds both, several times faster than argmax
        # along the first axis.
        key = layer.astype(np.uint16)
        key <<= 8
        key |= np.uint16(255 - index)
        np.maximum(best, key, out=best)
    confidence = (best >> 8).astype(np.uint8)
    found = 255 - (best & 255).astype(np.uint8)
    return Decision(np.where(confidence > 0, found, np.uint8(IGNORE_INDEX)), confidence)
