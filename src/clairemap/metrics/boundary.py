"""Boundary F1: how well the class boundaries of the map match those of the labels, within a tolerance.

Csurka et al. 2013, "What is a good evaluation measure for semantic segmentation?" (BMVC): for each class, precision is
the share of the map's boundary pixels that have a boundary pixel of the labels of that class within the tolerance,
recall the reverse, and F1 their harmonic mean. The paper averages the F1 of images; here counts are summed over all
tiles first, so that tiles add up.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from clairemap.classes import IGNORE_INDEX
from clairemap.raster.histogram import histogram

LABEL_PX, LABEL_MATCHED_PX, MAP_PX, MAP_MATCHED_PX = range(4)
"""Rows of the counts: boundary pixels of labels and map, and those of them that the other one matches."""

CLASSES_AT_ONCE = 64
"""Number of bits of the numbers in which the classes of boundaries near a pixel are noted."""

BoundaryCounts = NDArray[np.int64]
"""(4, class), see above."""

Classes = NDArray[np.uint8]
Bits = NDArray[np.unsignedinteger]


def boundary_counts(truth: Classes, mapped: Classes, classes: int, tolerance_px: int) -> BoundaryCounts:
    """Return the boundary counts of one tile; counts of tiles add up.

    A boundary pixel of a class has one of the four neighbours in another class. A pixel is only judged if all pixels up
    to `tolerance_px` + 1 rows and columns away are in the tile and scored: elsewhere the matching boundary may be on
    ground that is not known. The distance of a match is at most `tolerance_px` (Euclidean).

    Args:
        truth: class indices (y, x) of the labels, IGNORE_INDEX where unlabelled.
        mapped: class indices (y, x) of the map, IGNORE_INDEX where unmapped.
        classes: number of classes.
        tolerance_px: tolerance in pixels, at least 0.
    """
    counts = np.zeros((4, classes), np.int64)
    judged = _eroded((truth != IGNORE_INDEX) & (mapped != IGNORE_INDEX), tolerance_px + 1)
    if not judged.any():
        return counts
    edges = _edges(truth), _edges(mapped)
    present = np.flatnonzero((histogram(truth) + histogram(mapped))[:classes])
    for start in range(0, len(present), CLASSES_AT_ONCE):
        chosen = present[start : start + CLASSES_AT_ONCE]
        labels, maps = (_bits(of, edge, chosen) for of, edge in zip((truth, mapped), edges, strict=True))
        of_labels, of_map = labels * judged, maps * judged
        found = (
            (LABEL_PX, of_labels),
            (LABEL_MATCHED_PX, of_labels & _near(maps, tolerance_px)),
            (MAP_PX, of_map),
            (MAP_MATCHED_PX, of_map & _near(labels, tolerance_px)),
        )
        for row, bits in found:
            counts[row, chosen] = _per_bit(bits, len(chosen))
    return counts


def boundary_f1(counts: BoundaryCounts) -> NDArray[np.float64]:
    """Return the boundary F1 (0..1) of each class; NaN without a boundary pixel in labels and map.

    0 if only one of the two has boundary pixels.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = np.nan_to_num(counts[LABEL_MATCHED_PX] / counts[LABEL_PX])
        precision = np.nan_to_num(counts[MAP_MATCHED_PX] / counts[MAP_PX])
        f1 = np.nan_to_num(2 * precision * recall / (precision + recall))
    return np.where(counts[LABEL_PX] + counts[MAP_PX] > 0, f1, np.nan)


def _edges(classes_of: Classes) -> NDArray[np.bool_]:
    """Return the pixels that have a neighbour in another class above, below, left or right."""
    edge = np.zeros(classes_of.shape, np.bool_)
    below = classes_of[1:] != classes_of[:-1]
    right = classes_of[:, 1:] != classes_of[:, :-1]
    edge[1:] |= below
    edge[:-1] |= below
    edge[:, 1:] |= right
    edge[:, :-1] |= right
    return edge


def _eroded(mask: NDArray[np.bool_], margin_px: int) -> NDArray[np.bool_]:
    """Return the pixels whose square neighbourhood of `margin_px` is in the tile and entirely in the mask."""
    kept = mask
    for axis in (0, 1):
        padded = np.pad(kept, [(margin_px, margin_px) if axis == each else (0, 0) for each in (0, 1)])
        size = kept.shape[axis]
        kept = np.ones_like(mask)
        for start in range(2 * margin_px + 1):
            kept &= padded.take(range(start, start + size), axis)
    return kept


def _bits(classes_of: Classes, edge: NDArray[np.bool_], chosen: NDArray[np.intp]) -> Bits:
    """Return, for each boundary pixel, the bit of its class among the chosen ones; 0 for all others."""
    dtype = next(of for of in (np.uint8, np.uint16, np.uint32, np.uint64) if np.iinfo(of).bits >= len(chosen))
    table = np.zeros(256, dtype)
    table[chosen] = np.left_shift(dtype(1), np.arange(len(chosen), dtype=dtype))
    return np.asarray(table[classes_of] * edge)


def _near(bits: Bits, tolerance_px: int) -> Bits:
    """Return the bits that occur within the tolerance of each pixel."""
    near = np.zeros_like(bits)
    height, width = bits.shape
    for dy, dx in _disc(tolerance_px):
        rows, columns = (slice(max(d, 0), size + min(d, 0)) for d, size in ((dy, height), (dx, width)))
        from_rows, from_columns = (slice(max(-d, 0), size + min(-d, 0)) for d, size in ((dy, height), (dx, width)))
        near[rows, columns] |= bits[from_rows, from_columns]
    return near


def _disc(radius_px: int) -> Iterator[tuple[int, int]]:
    reach = range(-radius_px, radius_px + 1)
    return ((dy, dx) for dy in reach for dx in reach if dy**2 + dx**2 <= radius_px**2)


def _per_bit(bits: Bits, count: int) -> list[int]:
    return [int(np.count_nonzero(bits & bits.dtype.type(1 << bit))) for bit in range(count)]
