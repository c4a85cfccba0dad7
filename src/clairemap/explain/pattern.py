"""Pattern of the classes in a tile: edges and isolated pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clairemap.classes import IGNORE_INDEX


@dataclass(frozen=True)
class Pattern:
    """Shares (0..1) of the mapped pixels at an edge between classes, and of those alone among other classes."""

    edges: float
    isolated: float


def pattern(index: NDArray[np.uint8]) -> Pattern:
    """Return the pattern of a tile with at least one mapped pixel.

    A pixel is at an edge if a pixel above, below, left or right of it has another class; it is isolated if it has
    mapped neighbours, and none of the eight has its class. Unmapped pixels and the tile's margin count as neither.

    Args:
        index: mapped classes (y, x), IGNORE_INDEX where unmapped.
    """
    mapped = index != IGNORE_INDEX
    edges, any_neighbour, same = (np.zeros(index.shape, bool) for _ in range(3))
    around = np.pad(index, 1, constant_values=IGNORE_INDEX)
    height, width = index.shape
    for dy, dx in [(dy, dx) for dy in (0, 1, 2) for dx in (0, 1, 2) if (dy, dx) != (1, 1)]:
        other = around[dy : dy + height, dx : dx + width]
        differs = (other != index) & (other != IGNORE_INDEX)
        if 1 in (dy, dx):
            edges |= differs
        any_neighbour |= other != IGNORE_INDEX
        same |= other == index
    total = np.count_nonzero(mapped)
    return Pattern(
        float(np.count_nonzero(edges & mapped) / total),
        float(np.count_nonzero(mapped & any_neighbour & ~same) / total),
    )
