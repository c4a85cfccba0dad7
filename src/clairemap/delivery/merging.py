"""Which patches are merged into which: small patches, smallest first, into their most probable neighbouring class.

Patches that are large from the start come first: on made maps, their class is right more often than that of a small
neighbour, which may itself be an error (benchmarks/deliver.py).

The result for a window must not depend on what is outside. A patch that reaches a side of the window is *open*: it may
be larger than it seems, or even large. A patch next to it is *undecided*, and so is a patch that is processed after an
undecided neighbour, whose class is not known any more. The area of a patch in the window is a lower bound, so a
neighbour that is processed later in the window is also processed later in the whole map and still has its class.
If a result is needed that is undecided, a larger window has to be read.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Borders = dict[int, int]
"""Length of the common border, pixel sides, by patch or by class."""


@dataclass(frozen=True)
class SmallPatches:
    """Patches below the minimum area, with all that is known of them in a window.

    Attributes:
        classes: (patch,): class index of each.
        areas: (patch,): area in the window, integer units.
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

    The smallest patch gets the class of a neighbour and is one patch with all its neighbours of this class from then
    on. The class is that with the largest sum of probability over the patch's pixels, then that with the longest
    border, then the first one: of the classes around it that are large from the start, or, if there are none, of all
    around it. This is repeated until no patch with a neighbour is below the minimum area.
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
    undecided: list[bool] = field(init=False)

    def __post_init__(self) -> None:
        count = len(self.small.classes)
        self.parents = list(range(count))
        self.classes, self.areas = list(self.small.classes), list(self.small.areas)
        self.ranks, self.undecided = list(self.small.ranks), [False] * count
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
        neighbours, is_open = self._neighbours(patch), self.small.is_open
        if is_open[patch] or any(is_open[other] or self.undecided[other] for other in neighbours):
            self.undecided[patch] = True
            return
        borders = dict(self.small.around[patch])
        if not borders:
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
        self.ranks[root] = min(self.ranks[part] for part in parts)
        heapq.heappush(self.queue, (area, self.ranks[root], root))


def _add(total: Borders, borders: Borders) -> None:
    for other, length in borders.items():
        total[other] = total.get(other, 0) + length
