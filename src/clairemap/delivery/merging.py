"""Which patches are merged into which: small patches, smallest first, into their most probable neighbouring class.

The result for a window must not depend on what lies outside. A patch that reaches the window's side is *open*: only a
lower bound of its area is known. As patches are processed in order of their area, a neighbour with a larger bound
still has its class when a patch is processed. A patch whose outcome depends on more than that is *undecided*; the
caller then reads a larger window.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

OPEN_FIRST = -1
"""Rank of open patches: they are undecided before patches of the same area are processed."""

Borders = dict[int, int]
"""Length of the common border, pixel sides, by patch or by class."""


@dataclass(frozen=True)
class SmallPatches:
    """Patches below the minimum area, with all that is known of them in a window.

    Attributes:
        classes: (patch,): class index of each.
        areas: (patch,): area, integer units; a lower bound if `is_open`.
        ranks: (patch,): order among patches of equal area, unique, from 0.
        is_open: (patch,): whether the patch reaches a side of the window.
        probability: (patch, class): sum of the class's probability over the patch's pixels, integers.
        neighbours: borders with other small patches, by patch.
        around: borders with large patches, by class index.
        min_area: minimum area, same units.
    """

    classes: Sequence[int]
    areas: Sequence[int]
    ranks: Sequence[int]
    is_open: Sequence[bool]
    probability: NDArray[np.int64]
    neighbours: Sequence[Borders]
    around: Sequence[Borders]
    min_area: int


@dataclass(frozen=True)
class MergedClasses:
    """Result for each small patch, (patch,): its class index, and whether it is decided."""

    classes: NDArray[np.int64]
    is_decided: NDArray[np.bool_]


def merged_classes(small: SmallPatches) -> MergedClasses:
    """Return the classes of small patches after merging. Arrays of `small` may be changed.

    The smallest patch gets the class, among those of its neighbours, with the largest sum of probability over its
    pixels (then that with the longest border, then the first class), and is one patch with all its neighbours of this
    class from then on. This is repeated until no patch with a neighbour is below the minimum area.
    """
    merging = _Merging(small)
    merging.run()
    roots = [merging.root(patch) for patch in range(len(small.classes))]
    return MergedClasses(
        np.array([merging.classes[root] for root in roots], np.int64),
        np.array([not merging.undecided[root] for root in roots], bool),
    )


@dataclass
class _Merging:
    """State while merging: merged patches form a tree, whose root has the values of the whole."""

    small: SmallPatches
    parents: list[int] = field(init=False)
    classes: list[int] = field(init=False)
    areas: list[int] = field(init=False)
    ranks: list[int] = field(init=False)
    is_open: list[bool] = field(init=False)
    undecided: list[bool] = field(init=False)

    def __post_init__(self) -> None:
        count = len(self.small.classes)
        self.parents = list(range(count))
        self.classes, self.areas = list(self.small.classes), list(self.small.areas)
        self.is_open, self.undecided = list(self.small.is_open), [False] * count
        self.ranks = [
            OPEN_FIRST if is_open else rank for rank, is_open in zip(self.small.ranks, self.is_open, strict=True)
        ]
        self.queue = [
            (area, rank, patch) for patch, (area, rank) in enumerate(zip(self.areas, self.ranks, strict=True))
        ]
        heapq.heapify(self.queue)

    def root(self, patch: int) -> int:
        """Return the merged patch that a patch belongs to."""
        parents = self.parents
        while parents[patch] != patch:
            parents[patch] = parents[parents[patch]]
            patch = parents[patch]
        return patch

    def run(self) -> None:
        """Merge until no patch is left that can be."""
        while self.queue:
            area, _, patch = heapq.heappop(self.queue)
            if self.parents[patch] == patch and self.areas[patch] == area:
                self._process(patch)

    def _process(self, patch: int) -> None:
        neighbours = self._neighbours(patch)
        if self.is_open[patch] or any(self.undecided[other] for other in neighbours):
            self.undecided[patch] = True
            return
        borders = dict(self.small.around[patch])
        for other, length in neighbours.items():
            borders[self.classes[other]] = borders.get(self.classes[other], 0) + length
        if borders:
            sums = self.small.probability[patch].tolist()
            chosen = max(borders, key=lambda index: (sums[index], borders[index], -index))
            self._merge(patch, neighbours, chosen)

    def _neighbours(self, patch: int) -> Borders:
        found: Borders = {}
        for other, length in self.small.neighbours[patch].items():
            root = self.root(other)
            if root != patch:
                found[root] = found.get(root, 0) + length
        return found

    def _merge(self, patch: int, neighbours: Borders, chosen: int) -> None:
        """Give a patch the chosen class and merge it with its neighbours of this class."""
        small = self.small
        parts = [patch, *(other for other in neighbours if self.classes[other] == chosen)]
        root = max(parts, key=lambda part: len(small.neighbours[part]))
        area = small.min_area if chosen in small.around[patch] else sum(self.areas[part] for part in parts)
        for part in parts:
            self.parents[part] = root
        self.classes[root], self.areas[root] = chosen, area
        if area >= small.min_area:  # it is not processed again: only its class matters
            return
        for part in parts:
            if part != root:
                small.probability[root] += small.probability[part]
                _add(small.neighbours[root], small.neighbours[part])
                _add(small.around[root], small.around[part])
        self.is_open[root] = any(self.is_open[part] for part in parts)
        self.ranks[root] = OPEN_FIRST if self.is_open[root] else min(self.ranks[part] for part in parts)
        heapq.heappush(self.queue, (area, self.ranks[root], root))


def _add(total: Borders, borders: Borders) -> None:
    for other, length in borders.items():
        total[other] = total.get(other, 0) + length
