"""Polygons of a class map's patches, in pixel coordinates, from windows read once, row by row.

Patches within a window are complete at once. Those that cross a side of a window are kept in pieces until no window
can add to them, then merged. Patches with very many vertices stay in pieces, so that memory stays flat.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Protocol

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio import features
from shapely import GeometryType
from shapely.geometry.base import BaseGeometry

from clairemap.delivery.areas import PixelAreas
from clairemap.delivery.patches import Patches
from clairemap.grid.tiles import tiles
from clairemap.grid.window import Window

WINDOW_PX = 1024
MAX_VERTICES = 250_000
"""Patches with more vertices that cross sides of windows are cut there."""

NONE = -1
"""Piece of pixels that are nodata."""


class FinishedMap(Protocol):
    """Windows of a finished map; all uint8 (y, x), nodata at the same pixels."""

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the map."""

    def layers(self, window: Window) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]] | None:
        """Return class codes, confidence and optical share (percent); None if the window is empty."""


@dataclass(frozen=True)
class Polygons:
    """Polygons and what is summed over their pixels, arrays (polygon,).

    `geometry` is in pixel coordinates (x, y), without vertices on straight lines. `confidence` and `optical_share` are
    sums of percent. `m2` is 0 if areas are unknown. `is_cut` marks pieces of patches that were cut.
    """

    codes: NDArray[np.uint8]
    geometry: NDArray[np.object_]
    pixels: NDArray[np.float64]
    m2: NDArray[np.float64]
    confidence: NDArray[np.float64]
    optical_share: NDArray[np.float64]
    is_cut: NDArray[np.bool_]

    def __len__(self) -> int:
        """Return the number of polygons."""
        return len(self.codes)

    def at(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> "Polygons":
        """Return some of the polygons."""
        return Polygons(*(getattr(self, name)[index] for name in self.__dataclass_fields__))

    @classmethod
    def joined(cls, parts: Sequence["Polygons"]) -> "Polygons":
        """Return all polygons of several."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__dataclass_fields__))


def map_polygons(
    source: FinishedMap, areas: PixelAreas, *, window_px: int = WINDOW_PX, max_vertices: int = MAX_VERTICES
) -> Iterator[Polygons]:
    """Yield the polygons of a map's patches (4-connected), each once.

    Memory: about 60 bytes per pixel of a window, the patches that cross the lower side of a row of windows, and the
    merging of at most `max_vertices` vertices.

    Args:
        source: the map.
        areas: areas of its pixels.
        window_px: side of the windows. Polygons do not depend on it, except of patches that are cut.
        max_vertices: largest number of vertices of a polygon whose patch crosses sides of windows.
    """
    pieces = _Pieces(max_vertices)
    bottom = np.full(source.shape[1], NONE, np.int64), np.zeros(source.shape[1], np.uint8)
    for tile in tiles(source.shape, window_px):
        window = tile.window
        if window.x0 == 0:
            right = np.full(window.height, NONE, np.int64), np.zeros(window.height, np.uint8)
            below = np.full(source.shape[1], NONE, np.int64), np.zeros(source.shape[1], np.uint8)
        columns = slice(window.x0, window.x1)
        found = source.layers(window)
        if found is None:
            right = np.full(window.height, NONE, np.int64), np.zeros(window.height, np.uint8)
        else:
            patches, polygons = _traced(found, window, areas)
            is_open = patches.at_open_sides(window, source.shape)
            numbers = pieces.add(polygons.at(is_open))
            yield polygons.at(~is_open & (polygons.pixels > 0))
            ids = np.full(len(patches), NONE, np.int64)
            ids[is_open] = numbers
            labels, codes = patches.labels, found[0]
            pieces.connect(right, (ids[labels[:, 0]], codes[:, 0]))
            pieces.connect((bottom[0][columns], bottom[1][columns]), (ids[labels[0]], codes[0]))
            right = ids[labels[:, -1]], codes[:, -1]
            if window.y1 < source.shape[0]:
                below[0][columns], below[1][columns] = ids[labels[-1]], codes[-1]
            yield from pieces.cut()
        if window.x1 == source.shape[1]:
            yield from pieces.completed(below[0])
            bottom = pieces.roots(below[0]), below[1]


def _traced(
    layers: tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]], window: Window, areas: PixelAreas
) -> tuple[Patches, Polygons]:
    """Return the patches of a window and their polygons, by number of the patch; number 0 has none."""
    codes, confidence, optical_share = layers
    patches = Patches.of(codes)
    pixels = patches.sums()
    pixels[0] = 0
    return patches, Polygons(
        patches.codes,
        _outlines(patches, window),
        pixels,
        patches.sums(areas.m2(window)) if areas.known else np.zeros(len(patches)),
        patches.sums(confidence),
        patches.sums(optical_share),
        np.zeros(len(patches), bool),
    )


def _outlines(patches: Patches, window: Window) -> NDArray[np.object_]:
    """Return the polygon of each patch, (patch + 1,); None for patch 0."""
    coordinates, numbers = array("d"), array("l")
    rings, polygons, vertices = array("l", [0]), array("l", [0]), 0
    transform = Affine.translation(window.x0, window.y0)
    for outline, number in features.shapes(patches.labels, patches.labels > 0, connectivity=4, transform=transform):
        for ring in outline["coordinates"]:
            coordinates.extend(chain.from_iterable(ring))
            vertices += len(ring)
            rings.append(vertices)
        polygons.append(len(rings) - 1)
        numbers.append(int(number))
    found = np.full(len(patches), None, object)
    if numbers:
        found[np.asarray(numbers)] = shapely.from_ragged_array(
            GeometryType.POLYGON,
            np.asarray(coordinates).reshape(-1, 2),
            (np.asarray(rings), np.asarray(polygons)),
        )
    return found


@dataclass
class _Group:
    """Pieces of one patch."""

    pieces: list[Polygons]
    vertices: int
    is_cut: bool = False

    def take(self) -> Polygons:
        """Return the pieces, marked as cut, and forget them."""
        taken, self.pieces = Polygons.joined(self.pieces), []
        taken.is_cut[:] = True
        return taken


@dataclass
class _Pieces:
    """Pieces of patches that cross sides of windows; connected ones form a tree, whose root has the group."""

    max_vertices: int
    parents: dict[int, int] = field(default_factory=dict)
    groups: dict[int, _Group] = field(default_factory=dict)
    count: int = 0

    def add(self, polygons: Polygons) -> NDArray[np.int64]:
        """Return the numbers of new pieces."""
        numbers = np.arange(self.count, self.count + len(polygons))
        self.count += len(polygons)
        vertices = shapely.get_num_coordinates(polygons.geometry).tolist()
        for place, number in enumerate(numbers.tolist()):
            self.parents[number] = number
            self.groups[number] = _Group([polygons.at(np.array([place]))], vertices[place])
        return numbers

    def connect(
        self,
        one: tuple[NDArray[np.int64], NDArray[np.uint8]],
        other: tuple[NDArray[np.int64], NDArray[np.uint8]],
    ) -> None:
        """Connect pieces that touch: numbers and class codes of the pixels on both sides of a line."""
        touching = (one[0] != NONE) & (other[0] != NONE) & (one[1] == other[1])
        for here, there in np.unique(np.stack([one[0][touching], other[0][touching]], axis=1), axis=0).tolist():
            self._join(self._root(here), self._root(there))

    def _join(self, one: int, other: int) -> None:
        if one == other:
            return
        if len(self.groups[one].pieces) < len(self.groups[other].pieces):
            one, other = other, one
        kept, added = self.groups[one], self.groups.pop(other)
        self.parents[other] = one
        kept.pieces += added.pieces
        kept.vertices += added.vertices
        kept.is_cut |= added.is_cut

    def _root(self, number: int) -> int:
        parents = self.parents
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    def roots(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the root of each piece."""
        found, inverse = np.unique(numbers, return_inverse=True)
        return np.array([NONE if number == NONE else self._root(number) for number in found.tolist()])[inverse]

    def cut(self) -> Iterator[Polygons]:
        """Yield the pieces of patches that have become too large."""
        for group in self.groups.values():
            group.is_cut |= group.vertices > self.max_vertices
            if group.is_cut and group.pieces:
                yield group.take()

    def completed(self, below: NDArray[np.int64]) -> Iterator[Polygons]:
        """Yield the patches that do not reach the lower side of a row of windows; the others are kept."""
        kept = set(self.roots(np.unique(below)).tolist()) - {NONE}
        closed = [group for number, group in self.groups.items() if number not in kept and group.pieces]
        if closed:
            yield Polygons.joined([_merged(Polygons.joined(group.pieces)) for group in closed])
        numbers = np.unique(below[below != NONE]).tolist()
        self.groups = {number: self.groups[number] for number in sorted(kept)}
        self.parents = {**{number: self._root(number) for number in numbers}, **{number: number for number in kept}}


def _merged(pieces: Polygons) -> Polygons:
    """Return the pieces of a patch as one polygon."""
    if len(pieces) == 1:
        return pieces
    union = np.array([_without_straight_vertices(shapely.union_all(pieces.geometry))])
    return Polygons(
        pieces.codes[:1],
        union,
        pieces.pixels.sum(keepdims=True),
        pieces.m2.sum(keepdims=True),
        pieces.confidence.sum(keepdims=True),
        pieces.optical_share.sum(keepdims=True),
        pieces.is_cut[:1],
    )


def _without_straight_vertices(polygon: BaseGeometry) -> shapely.Polygon:
    """Return a polygon of horizontal and vertical sides without vertices at which the direction stays."""
    _, coordinates, (rings, polygons) = shapely.to_ragged_array([polygon])
    starts, ends = rings[:-1], rings[1:] - 1  # the last vertex of a ring is its first
    before, after = np.arange(len(coordinates)) - 1, np.arange(len(coordinates)) + 1
    before[starts], after[ends - 1] = ends - 1, starts
    after[ends] = ends
    x = coordinates[:, 0]
    turns = (x == x[before]) != (x == x[after])
    turns[ends] = False
    lengths = np.add.reduceat(turns, starts)
    kept = np.flatnonzero(turns)
    first = np.cumsum(lengths) - lengths
    closed = np.insert(kept, first + lengths, kept[first])
    offsets = np.concatenate([[0], np.cumsum(lengths + 1)])
    found: shapely.Polygon = shapely.from_ragged_array(GeometryType.POLYGON, coordinates[closed], (offsets, polygons))[
        0
    ]
    return found
