"""Dissolve patches below a minimum area into their most probable neighbours, window by window.

The result does not depend on the windows: around each window a margin is read, which grows until the result is decided
(see `merging`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from clairemap.classes import MAP_NODATA
from clairemap.delivery.areas import M2_PER_HA, PixelAreas
from clairemap.delivery.merging import Borders, MergedClasses, SmallPatches, merged_classes
from clairemap.delivery.patches import Patches
from clairemap.errors import GridError
from clairemap.grid.window import Window

MARGIN_PX = 64
"""Smallest margin around a window; patches of a minimum area up to some hundred pixels fit into it."""

READ_PX = 512
"""Probabilities are read in squares of this side, that of the store's chunks."""

MIN_AREA = 2**30
"""The minimum area in integer units: sums of integers do not depend on their order."""

ROUNDING = 2**10
"""Patches that are smaller by no more than this (a millionth) are as large as the minimum area."""


class MapReader(Protocol):
    """Windows of a map before post-processing."""

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the map."""

    def landcover(self, window: Window) -> NDArray[np.uint8]:
        """Return class codes (y, x)."""

    def probability(self, window: Window) -> NDArray[np.uint8]:
        """Return probabilities (class, y, x), 1/255."""


@dataclass(frozen=True)
class AreaUnits:
    """Area of pixels in units of the minimum area / `MIN_AREA`."""

    pixels: PixelAreas
    units_per_m2: float

    @classmethod
    def of(cls, geobox: GeoBox, min_area_ha: float) -> "AreaUnits":
        """Return the units of a map's grid.

        Raises:
            GridError: the grid has no CRS, so that areas are unknown.
        """
        pixels = PixelAreas.of(geobox)
        if not pixels.known:
            raise GridError(
                f"deliver.min_area_ha is {min_area_ha:g}, but the area of pixels is {pixels.pixel_area.method}; set it "
                "to null, or assign a CRS to the scenes (gdal_edit.py -a_srs)"
            )
        return cls(pixels, MIN_AREA / (min_area_ha * M2_PER_HA))

    @property
    def is_pixel_enough(self) -> bool:
        """Whether the map's first pixel is as large as the minimum area."""
        return bool(self.read(Window(0, 0, 1, 1))[0, 0] >= MIN_AREA - ROUNDING)

    def read(self, window: Window) -> NDArray[np.float64]:
        """Return the area of each pixel of a window (y, x), whole numbers."""
        return np.round(self.pixels.m2(window) * self.units_per_m2)


@dataclass(frozen=True)
class Dissolved:
    """Changes in a window: flat indices of changed pixels in it, in order, with their new codes and probabilities."""

    pixels: NDArray[np.int64]
    codes: NDArray[np.uint8]
    probability: NDArray[np.uint8]


@dataclass(frozen=True)
class Dissolver:
    """Dissolves the small patches of a map.

    Memory: about 40 bytes per pixel of a window with its margin, and one byte per class and pixel in small patches. The
    margin is small unless small patches fill large areas, as in noise.

    Attributes:
        reader: windows of the map.
        areas: area of pixels.
        class_codes: code of each class, in the order of the probabilities.
        margin_px: margin with which each window starts.
    """

    reader: MapReader
    areas: AreaUnits
    class_codes: NDArray[np.uint8]
    margin_px: int = MARGIN_PX

    def dissolved(self, window: Window) -> Dissolved:
        """Return the changes in a window of the map. They are the same for any window that contains a pixel."""
        margin = self.margin_px
        while True:
            outer = window.grown(margin).clipped(self.reader.shape)
            found = self._within(window, outer)
            if found is not None:
                return found
            margin *= 2

    def _within(self, window: Window, outer: Window) -> Dissolved | None:
        """Return the changes in a window, None if they are not decided by what is in the larger window."""
        patches = Patches.of(self.reader.landcover(outer))
        area = patches.sums(self.areas.read(outer)).astype(np.int64)
        is_small = area < MIN_AREA - ROUNDING
        is_small[0] = False
        inner = window.relative_to(outer)
        if not is_small[patches.labels[inner.slices]].any():
            return Dissolved(np.zeros(0, np.int64), np.zeros(0, np.uint8), np.zeros(0, np.uint8))
        numbers = np.flatnonzero(is_small)
        pixels = np.flatnonzero(is_small[patches.labels])
        owners = np.searchsorted(numbers, patches.labels.ravel()[pixels])
        probability = self._probability_at(pixels, outer)
        small = self._small(patches, numbers, area, outer, owners, probability)
        merged = merged_classes(small)
        return self._changes(merged, patches.codes[numbers], pixels, owners, probability, inner, outer)

    def _probability_at(self, pixels: NDArray[np.int64], window: Window) -> NDArray[np.uint8]:
        """Return the probabilities of some pixels (flat indices in the window, ascending), (class, pixel)."""
        found = np.zeros((len(self.class_codes), len(pixels)), np.uint8)
        rows, columns = np.divmod(pixels, window.width)
        rows += window.y0
        columns += window.x0
        for y0 in range(window.y0 // READ_PX * READ_PX, window.y1, READ_PX):
            first, last = np.searchsorted(rows, [y0, y0 + READ_PX])
            for x0 in range(window.x0 // READ_PX * READ_PX, window.x1, READ_PX):
                here = first + np.flatnonzero((columns[first:last] >= x0) & (columns[first:last] < x0 + READ_PX))
                if len(here):
                    square = Window(y0, x0, READ_PX, READ_PX).intersection(window)
                    found[:, here] = self.reader.probability(square)[
                        :, rows[here] - square.y0, columns[here] - square.x0
                    ]
        return found

    def _small(
        self,
        patches: Patches,
        numbers: NDArray[np.int64],
        area: NDArray[np.int64],
        window: Window,
        owners: NDArray[np.int64],
        probability: NDArray[np.uint8],
    ) -> SmallPatches:
        """Return the small patches of a window for merging; `numbers` are their labels."""
        index_of_code = np.zeros(MAP_NODATA + 1, np.int64)
        index_of_code[self.class_codes] = np.arange(len(self.class_codes))
        classes = index_of_code[patches.codes]
        place = np.full(len(patches), -1, np.int64)
        place[numbers] = np.arange(len(numbers))
        neighbours: list[Borders] = [{} for _ in numbers]
        around: list[Borders] = [{} for _ in numbers]
        for one, other, length in _borders(patches.labels, place):
            if place[other] >= 0:
                neighbours[place[one]][int(place[other])] = length
            else:
                borders, index = around[place[one]], int(classes[other])
                borders[index] = borders.get(index, 0) + length
        first = patches.first_pixels()[numbers]
        rows, columns = np.divmod(first, window.width)
        sums = [np.bincount(owners, of_class, len(numbers)) for of_class in probability]
        return SmallPatches(
            classes[numbers].tolist(),
            area[numbers].tolist(),
            _scattered(rows + window.y0, columns + window.x0).tolist(),
            patches.at_open_sides(window, self.reader.shape)[numbers].tolist(),
            np.stack(sums, axis=1).astype(np.int64),
            neighbours,
            around,
            MIN_AREA - ROUNDING,
        )

    def _changes(
        self,
        merged: MergedClasses,
        codes: NDArray[np.uint8],
        pixels: NDArray[np.int64],
        owners: NDArray[np.int64],
        probability: NDArray[np.uint8],
        inner: Window,
        outer: Window,
    ) -> Dissolved | None:
        rows, columns = np.divmod(pixels, outer.width)
        is_inner = (rows >= inner.y0) & (rows < inner.y1) & (columns >= inner.x0) & (columns < inner.x1)
        if not merged.is_decided[owners[is_inner]].all():
            return None
        new = self.class_codes[merged.classes]
        changed = np.flatnonzero(is_inner & (new != codes)[owners])
        flat = (rows[changed] - inner.y0) * inner.width + columns[changed] - inner.x0
        to = owners[changed]
        return Dissolved(flat, new[to], probability[merged.classes[to], changed])


def _borders(labels: NDArray[np.int32], place: NDArray[np.int64]) -> Iterator[tuple[int, int, int]]:
    """Yield a small patch, a neighbour and the length of their border in pixel sides; twice if both are small."""
    keys = []
    for one, other in ((labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:])):
        for here, there in ((one, other), (other, one)):
            at = np.flatnonzero((here != there) & (place[here] >= 0) & (there > 0))
            keys.append(here.ravel()[at] * np.int64(len(place)) + there.ravel()[at])
    pairs, lengths = np.unique(np.concatenate(keys), return_counts=True)
    ones, others = np.divmod(pairs, len(place))
    return zip(ones.tolist(), others.tolist(), lengths.tolist(), strict=True)


def _scattered(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return a number for each pixel, unique in the map, that does not increase along rows or columns.

    In the order of positions, chains of patches that wait for each other would cross the map; in this order they are
    short. It is the finaliser of MurmurHash3, which has an inverse.
    """
    mixed = (rows.astype(np.uint64) << np.uint64(32)) | columns.astype(np.uint64)
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        mixed ^= mixed >> np.uint64(33)
        mixed *= np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(33))
