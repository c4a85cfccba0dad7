"""A scene's probabilities on the region's grid: copied where the grids agree, else resampled bilinearly."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from torch import Tensor
from torch.nn import functional

from clairemap.grid.tiles import tiles
from clairemap.grid.window import Window
from clairemap.inference.feather import Feather
from clairemap.inference.grid import footprint, pixel_offset, pixel_to_world, project, world_to_pixel
from clairemap.inference.probabilities import OPTICAL_SHARE, PROBABILITY, SHARE_NODATA
from clairemap.raster.store import GridStore

MESH_PX = 32
"""Coordinates are projected at every 32nd pixel and interpolated in between (UTM to UTM: to 1e-5 px)."""

PIECE_PX = 1024
"""Side of the pieces of a finer scene that are averaged at once; a whole number of cells, so one cell at the least."""

OUTSIDE = -1e6


@dataclass(frozen=True)
class Evidence:
    """What is known about a window of the region's grid, from one scene or several.

    `probability` (class, y, x) is 0..255 and `optical_share` (y, x) percent, both uint8 if copied from a store and
    float32 if computed; they have no meaning where `valid` (y, x) is false.
    """

    window: Window
    probability: NDArray[np.uint8] | NDArray[np.float32]
    optical_share: NDArray[np.uint8] | NDArray[np.float32]
    valid: NDArray[np.bool_]


@dataclass(frozen=True)
class SceneBlock(Evidence):
    """What one scene says. `rows` and `columns`, broadcast to (y, x), are the places in the scene, in pixels."""

    rows: NDArray[np.floating]
    columns: NDArray[np.floating]
    feather: Feather | None

    def weight(self) -> NDArray[np.float32]:
        """Return the weight (y, x) for blending with other scenes: above 0 where valid, else 0."""
        if self.feather is None:
            return self.valid.astype(np.float32)
        return self.feather.weights(self.rows, self.columns) * self.valid


@dataclass(frozen=True)
class PlacedScene:
    """A probability store and where it lies on the region's grid; `feather` where other scenes overlap it."""

    store: GridStore
    grid: GeoBox
    footprint: Window
    feather: Feather | None

    def block(self, window: Window) -> SceneBlock | None:
        """Return what the scene says about a window of the grid; None if it has no valid pixel there.

        Raises:
            StoreError: the store is damaged.
        """
        inside = window.intersection(self.footprint)
        if inside.is_empty:
            return None
        offset = pixel_offset(self.store.geobox, self.grid)
        block = self._resampled(inside) if offset is None else self._copied(inside, offset)
        return block if block is not None and block.valid.any() else None

    def _copied(self, inside: Window, offset: tuple[int, int]) -> SceneBlock:
        source = Window(inside.y0 - offset[0], inside.x0 - offset[1], *inside.shape)
        share = self.store.read(OPTICAL_SHARE, source)
        rows = np.arange(source.y0, source.y1)[:, None] + 0.5
        columns = np.arange(source.x0, source.x1)[None] + 0.5
        return SceneBlock(
            inside,
            self.store.read(PROBABILITY, source),
            share,
            share != SHARE_NODATA,
            rows,
            columns,
            self.feather,
        )

    def _resampled(self, inside: Window) -> SceneBlock | None:
        y, x = self._coordinates(inside)
        step = _step(y, x)
        source = _around(y, x, step).clipped(self.store.shape)
        if source.is_empty:
            return None
        stack = _reduced(self.store, source, step)
        sampled = _sampled(stack, (y - source.y0) / step, (x - source.x0) / step)
        coverage = sampled[-1]
        sampled[:-1] /= np.maximum(coverage, 1e-6)
        return SceneBlock(inside, sampled[:-2], sampled[-2], coverage >= 0.5, y, x, self.feather)

    def _coordinates(self, inside: Window) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return rows and columns in the scene, in pixels, of the centres of the grid's pixels."""
        rows, columns = _nodes(inside.height), _nodes(inside.width)
        x, y = np.meshgrid(columns + inside.x0 + 0.5, rows + inside.y0 + 0.5)
        world = pixel_to_world(self.grid, np.stack([x.ravel(), y.ravel()], axis=1))
        scene = world_to_pixel(self.store.geobox, project(world, self.grid.crs, self.store.geobox.crs))
        known = np.where(np.isfinite(scene), scene, OUTSIDE)
        x, y = (known[:, axis].reshape(rows.size, columns.size) for axis in (0, 1))
        return _interpolated(y, rows, columns, inside.shape), _interpolated(x, rows, columns, inside.shape)


def place(stores: list[GridStore], grid: GeoBox) -> list[PlacedScene]:
    """Return the scenes placed on the grid. Of those that overlap others the optical share is read once."""
    footprints = [footprint(store.geobox, grid) for store in stores]
    placed = []
    for index, (store, own) in enumerate(zip(stores, footprints, strict=True)):
        others = footprints[:index] + footprints[index + 1 :]
        overlapped = any(not own.intersection(other).is_empty for other in others)
        placed.append(PlacedScene(store, grid, own, Feather.of(store) if overlapped else None))
    return placed


def _nodes(size: int) -> NDArray[np.float64]:
    """Return positions from 0 to size - 1, both included, about MESH_PX apart."""
    return np.linspace(0, size - 1, max(-(-size // MESH_PX), 1) + 1)


def _interpolated(
    values: NDArray[np.float64], rows: NDArray[np.float64], columns: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Return a mesh's values, linearly interpolated to each pixel of (height, width)."""
    wide = _between(values.T, columns, shape[1]).T
    return _between(wide, rows, shape[0])


def _between(values: NDArray[np.float64], nodes: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Return values interpolated along the first axis from the nodes to 0 .. size - 1."""
    spacing = nodes[1] - nodes[0]
    place = np.arange(size) / (spacing if spacing > 0 else 1.0)
    low = np.minimum(place.astype(np.intp), nodes.size - 2)
    share = (place - low)[:, None]
    return np.asarray(values[low] * (1 - share) + values[low + 1] * share)


def _around(y: NDArray[np.float64], x: NDArray[np.float64], step: int) -> Window:
    """Return the whole cells of `step` px that interpolating at these positions needs; may lie outside the scene."""
    known = y > OUTSIDE / 2
    if not known.any():
        return Window(0, 0, 0, 0)
    y0, x0 = ((int(values[known].min()) - step) // step * step for values in (y, x))
    y1, x1 = (-(-(int(values[known].max()) + 1 + step) // step) * step for values in (y, x))
    return Window(y0, x0, y1 - y0, x1 - x0)


def _step(y: NDArray[np.float64], x: NDArray[np.float64]) -> int:
    """Return how many scene pixels go along a side of a grid pixel, at least 1."""
    if min(y.shape) < 2:
        return 1
    sides = np.hypot(y[0, 1] - y[0, 0], x[0, 1] - x[0, 0]), np.hypot(y[1, 0] - y[0, 0], x[1, 0] - x[0, 0])
    return max(1, round(float(min(sides))))


def _reduced(store: GridStore, source: Window, step: int) -> Tensor:
    """Return classes, share and coverage (all, y, x) as float32, averaged over cells of `step` px.

    Without it, a grid coarser than the scene would show single pixels of it. The window starts at a cell's edge,
    so that cells are the same whatever the window. Read in pieces of `PIECE_PX` squared, or of one cell if that is
    larger: the window has step squared times the pixels of the result.
    """
    if step == 1:
        return _layers(store, source)
    layers = int(store.array(PROBABILITY).shape[0]) + 2
    reduced = torch.empty(layers, -(-source.height // step), -(-source.width // step))
    for tile in tiles(source.shape, max(PIECE_PX // step, 1) * step):
        piece = tile.window
        stack = _layers(store, Window(source.y0 + piece.y0, source.x0 + piece.x0, *piece.shape))
        padded = functional.pad(stack, (0, -piece.width % step, 0, -piece.height % step))
        cells = functional.avg_pool2d(padded, step)
        y0, x0 = piece.y0 // step, piece.x0 // step
        reduced[:, y0 : y0 + cells.shape[1], x0 : x0 + cells.shape[2]] = cells
    return reduced


def _layers(store: GridStore, source: Window) -> Tensor:
    """Return classes, share (0 where nodata) and coverage (0 or 1) of a window as float32 (all, y, x)."""
    share = store.read(OPTICAL_SHARE, source)
    valid = share != SHARE_NODATA
    layers = [store.read(PROBABILITY, source), (share * valid)[None], valid[None].astype(np.uint8)]
    return torch.from_numpy(np.concatenate(layers)).float()


def _sampled(stack: Tensor, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the layers (layer, y, x), interpolated bilinearly at positions in pixels; 0 outside."""
    height, width = stack.shape[1:]
    places = np.stack([x * (2 / width) - 1, y * (2 / height) - 1], axis=-1).astype(np.float32)
    sampled = functional.grid_sample(
        stack[None], torch.from_numpy(places)[None], mode="bilinear", padding_mode="zeros", align_corners=False
    )
    answer: NDArray[np.float32] = sampled[0].numpy()
    return answer
