"""From class probabilities to the mapped class and how sure it is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clairemap.classes import IGNORE_INDEX


@dataclass(frozen=True)
class Decision:
    """The most probable class of each pixel: its index (y, x) and its probability in 1/255 (y, x), both uint8.

    Where no class has a probability, which is where no sensor was usable, the index is IGNORE_INDEX and the
    probability 0.
    """

    index: NDArray[np.uint8]
    confidence: NDArray[np.uint8]


def decide(probability: NDArray[np.uint8]) -> Decision:
    """Return the most probable class of each pixel; of several, the first.

    Args:
        probability: (class, y, x) in 1/255. Peak memory is 4 bytes a pixel on top, whatever the number of classes.
    """
    best = np.zeros(probability.shape[1:], np.uint16)
    for index, layer in enumerate(probability):
        # Probability in the high byte, reversed index in the low one: one maximum finds both, several times as
        # fast as argmax along the first axis.
        key = layer.astype(np.uint16)
        key <<= 8
        key |= np.uint16(255 - index)
        np.maximum(best, key, out=best)
    confidence = (best >> 8).astype(np.uint8)
    found = 255 - (best & 255).astype(np.uint8)
    return Decision(np.where(confidence > 0, found, np.uint8(IGNORE_INDEX)), confidence)
