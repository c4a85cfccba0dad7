"""Probabilities of a scene on the region's grid: copied if the grids coincide, else resampled bilinearly."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from clairemap.classes import SHARE_NODATA
from clairemap.grid.coordinates import Coordinates, mesh_grid
from clairemap.grid.mapping import OUTSIDE, finite_or_outside, middle_x, transformed
from clairemap.grid.mesh import MESH_PX, cell_means, differ, interpolated, midpoints, node_positions, spread_nodes
from clairemap.grid.points import Point, Shift
from clairemap.grid.rounding import align_up, ceil_div
from clairemap.grid.tiles import tiles
from clairemap.grid.window import Window
from clairemap.inference.feather import Feather
from clairemap.inference.grid import footprint, pixel_offset
from clairemap.inference.probabilities import OPTICAL_SHARE, PROBABILITY
from clairemap.raster.store import GridStore

AVERAGING_WINDOW_PX = 1024
"""Maximum side of the windows of a finer scene to average at once, rounded down to whole cells, at least one."""


@dataclass(frozen=True)
class PixelPrediction:
    """Prediction for pixels of the region's grid, from one or several scenes.

    `probability` (class, y, x) is 0..255 and `optical_share` (y, x) percent, both uint8 if copied from a store and
    float32 if computed; undefined where `mapped` (y, x) is false.
    """

    probability: NDArray[np.uint8] | NDArray[np.float32]
    optical_share: NDArray[np.uint8] | NDArray[np.float32]
    mapped: NDArray[np.bool_]


class SceneBlock(Protocol):
    """Predictions of one scene for a window of the region's grid."""

    @property
    def window(self) -> Window:
        """The window, in pixels of the region's grid."""

    def predictions(self, inner: Window) -> PixelPrediction:
        """Return the predictions for a window within `window`."""

    def weight(self, inner: Window) -> NDArray[np.float32]:
        """Return the weights (y, x), above 0, for blending with other scenes in a window within `window`."""


@dataclass(frozen=True)
class CopiedBlock:
    """Pixels of a scene whose pixels coincide with the region's grid; `source` is the window in the scene."""

    window: Window
    source: Window
    probability: NDArray[np.uint8]
    optical_share: NDArray[np.uint8]
    feather: Feather | None

    def predictions(self, inner: Window) -> PixelPrediction:
        """See `SceneBlock`."""
        place = inner.relative_to(self.window).slices
        share = self.optical_share[place]
        return PixelPrediction(self.probability[:, *place], share, share != SHARE_NODATA)

    def weight(self, inner: Window) -> NDArray[np.float32]:
        """See `SceneBlock`."""
        if self.feather is None:
            return np.ones(inner.shape, np.float32)
        return self.feather.weights_within(inner.relative_to(self.window).moved(self.source.y0, self.source.x0))


@dataclass(frozen=True)
class Mesh:
    """Positions in a scene, in pixels, of a window's pixel centres: exact at nodes, interpolated linearly between."""

    window: Window
    node_rows: Coordinates
    node_columns: Coordinates
    rows: Coordinates
    columns: Coordinates

    @classmethod
    def of(cls, window: Window, grid: GeoBox, scene: GeoBox) -> "Mesh":
        """Return the mesh of a window of the region's grid; positions that cannot be projected are far outside.

        Cells are halved until interpolation is accurate at their centres; near poles down to single pixels.
        """
        middle = middle_x(scene)

        def on_scene(rows: Coordinates, columns: Coordinates) -> tuple[Coordinates, Coordinates]:
            y, x = mesh_grid(rows + window.y0 + 0.5, columns + window.x0 + 0.5)
            return finite_or_outside(*transformed(grid, scene, y, x, middle))

        step = MESH_PX
        while True:
            rows, columns = spread_nodes(window.height, step), spread_nodes(window.width, step)
            y, x = on_scene(rows, columns)
            exact = on_scene(midpoints(rows), midpoints(columns))
            if step == 1 or not differ((cell_means(y), cell_means(x)), exact).any():
                return cls(window, rows, columns, y, x)
            step //= 2

    def scene_positions(self, inner: Window) -> tuple[Coordinates, Coordinates]:
        """Return rows and columns in the scene, both (y, x), of a window within `window`."""
        relative = inner.relative_to(self.window)
        y = node_positions(relative.y0 + np.arange(relative.height), self.node_rows)
        x = node_positions(relative.x0 + np.arange(relative.width), self.node_columns)
        return interpolated(self.rows, y, x), interpolated(self.columns, y, x)

    @property
    def step(self) -> int:
        """Scene pixels per side of a grid pixel, at least 1."""
        window = self.window
        if min(window.shape) < 2:
            return 1
        sides: list[float] = []
        # At a corner and in the middle: in one of them, longitudes may wrap around.
        for y0, x0 in ((0, 0), (window.height // 2 - 1, window.width // 2 - 1)):
            y, x = self.scene_positions(Window(window.y0 + y0, window.x0 + x0, 2, 2))
            sides += np.hypot(y[0, 1] - y[0, 0], x[0, 1] - x[0, 0]), np.hypot(y[1, 0] - y[0, 0], x[1, 0] - x[0, 0])
        return max(1, round(float(min(sides))))

    def source_window(self, step: int) -> Window:
        """Return the cells of `step` px needed for interpolation; may extend beyond the scene."""
        known = self.rows > OUTSIDE / 2
        if not known.any():
            return Window(0, 0, 0, 0)
        y0, x0 = ((int(v[known].min()) - step) // step * step for v in (self.rows, self.columns))
        y1, x1 = (align_up(int(v[known].max()) + 1 + step, step) for v in (self.rows, self.columns))
        return Window(y0, x0, y1 - y0, x1 - x0)


@dataclass(frozen=True)
class ResampledBlock:
    """Pixels of a scene on another grid, interpolated on demand.

    `stack` (class + 2, y, x) contains probabilities, share (0 where nodata) and coverage (0 or 1) of cells of `step` px
    of the scene, starting at `origin` and surrounded by a ring of zeros: uint8, or float32 if cells are averages of
    several pixels.
    """

    window: Window
    mesh: Mesh
    stack: NDArray[np.uint8] | NDArray[np.float32]
    origin: Point[int]
    step: int
    feather: Feather | None

    def predictions(self, inner: Window) -> PixelPrediction:
        """See `SceneBlock`."""
        y, x = self.mesh.scene_positions(inner)
        sampled = _sampled(self.stack, (y - self.origin.y) / self.step, (x - self.origin.x) / self.step)
        coverage = sampled[-1]
        sampled[:-1] /= np.maximum(coverage, 1e-6)
        return PixelPrediction(sampled[:-2], sampled[-2], coverage >= 0.5)

    def weight(self, inner: Window) -> NDArray[np.float32]:
        """See `SceneBlock`."""
        if self.feather is None:
            return np.ones(inner.shape, np.float32)
        return self.feather.weights(*self.mesh.scene_positions(inner))


@dataclass(frozen=True)
class PlacedScene:
    """A probability store and its window on the region's grid; `feather` is set if other scenes overlap it."""

    store: GridStore
    grid: GeoBox
    footprint: Window
    feather: Feather | None

    def block(self, window: Window) -> SceneBlock | None:
        """Return the scene's predictions for a window of the grid; None without a mapped pixel.

        Raises:
            StoreError: the store is damaged.
        """
        inside = window.intersection(self.footprint)
        if inside.is_empty:
            return None
        offset = pixel_offset(self.store.geobox, self.grid)
        return self._resampled(inside) if offset is None else self._copied(inside, offset)

    def _copied(self, inside: Window, offset: Shift[int]) -> CopiedBlock | None:
        source = inside.moved(-offset.dy, -offset.dx)
        share = self.store.read(OPTICAL_SHARE, source)
        if (share == SHARE_NODATA).all():
            return None
        return CopiedBlock(inside, source, self.store.read(PROBABILITY, source), share, self.feather)

    def _resampled(self, inside: Window) -> ResampledBlock | None:
        mesh = Mesh.of(inside, self.grid, self.store.geobox)
        step = mesh.step
        source = mesh.source_window(step).clipped(self.store.shape)
        if source.is_empty:
            return None
        stack = _averaged_stack(self.store, source, step)
        if not stack[-1].any():
            return None
        return ResampledBlock(inside, mesh, stack, Point(source.y0, source.x0), step, self.feather)


def place(stores: list[GridStore], grid: GeoBox) -> list[PlacedScene]:
    """Return the scenes placed on the grid; for overlapping ones, the optical share is read once."""
    footprints = [footprint(store.geobox, grid) for store in stores]
    placed = []
    for index, (store, own) in enumerate(zip(stores, footprints, strict=True)):
        others = footprints[:index] + footprints[index + 1 :]
        overlapped = any(not own.intersection(other).is_empty for other in others)
        placed.append(PlacedScene(store, grid, own, Feather.of(store) if overlapped else None))
    return placed


def _averaged_stack(store: GridStore, source: Window, step: int) -> NDArray[Any]:
    """Return the stack of a `ResampledBlock`: layers averaged over cells of `step` px, read by windows.

    Averaging avoids aliasing on a grid coarser than the scene. The window starts at a cell edge, so that cells do not
    depend on the window.
    """
    layers = int(store.array(PROBABILITY).shape[0]) + 2
    height, width = ceil_div(source.height, step), ceil_div(source.width, step)
    stack = np.zeros((layers, height + 2, width + 2), np.uint8 if step == 1 else np.float32)
    for tile in tiles(source.shape, max(AVERAGING_WINDOW_PX // step, 1) * step):
        window = tile.window
        values = _layers(store, window.moved(source.y0, source.x0))
        cells = values if step == 1 else _means(values, step)
        y0, x0 = window.y0 // step + 1, window.x0 // step + 1
        stack[:, y0 : y0 + cells.shape[1], x0 : x0 + cells.shape[2]] = cells
    return stack


def _layers(store: GridStore, source: Window) -> NDArray[np.uint8]:
    """Return probabilities, share (0 where nodata) and coverage (0 or 1) of a window, (class + 2, y, x)."""
    share = store.read(OPTICAL_SHARE, source)
    mapped = share != SHARE_NODATA
    return np.concatenate([store.read(PROBABILITY, source), (share * mapped)[None], mapped[None].view(np.uint8)])


def _means(values: NDArray[np.uint8], step: int) -> NDArray[np.float32]:
    """Return the means of cells of `step` px; incomplete cells are padded with zeros."""
    padded = np.pad(values, ((0, 0), (0, -values.shape[1] % step), (0, -values.shape[2] % step)))
    rows = np.zeros((len(padded), padded.shape[1] // step, padded.shape[2]), np.float32)
    for start in range(step):
        rows += padded[:, start::step]
    cells = np.zeros((*rows.shape[:2], rows.shape[2] // step), np.float32)
    for start in range(step):
        cells += rows[:, :, start::step]
    cells /= step * step
    return cells


def _sampled(stack: NDArray[Any], y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the layers of a stack (layer, y, x), interpolated bilinearly at positions in pixels; 0 outside."""
    across = stack.shape[2]
    top, down = _pixel_and_fraction(y, stack.shape[1])
    left, right = _pixel_and_fraction(x, across)
    first = top * across + left
    pixels = stack.reshape(len(stack), -1)
    sampled = pixels.take(first, axis=1) * ((1 - down) * (1 - right))
    sampled += pixels.take(first + 1, axis=1) * ((1 - down) * right)
    sampled += pixels.take(first + across, axis=1) * (down * (1 - right))
    sampled += pixels.take(first + across + 1, axis=1) * (down * right)
    return np.asarray(sampled, np.float32)


def _pixel_and_fraction(place: NDArray[np.float64], size: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return the index of the pixel centre before each position, and the fraction (0..1) towards the next."""
    ringed = np.clip(place + 0.5, 0, size - 1)
    low = np.minimum(ringed.astype(np.intp), size - 2)
    return low, (ringed - low).astype(np.float32)
