"""Optical image, SAR, labels and errors of the scenes on the grid of a map, for the interactive map.

Stores have no overviews, so each tile of each scene is read once for these layers, those of scenes that others cover
twice. Memory: one window of tiles, and pictures of at most `MAX_CANVAS_PX` pixels.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from clairemap.classes import IGNORE_INDEX
from clairemap.errors import ClairemapError
from clairemap.grid.mapping import OUTSIDE, PixelMapping
from clairemap.grid.tiles import tiles
from clairemap.grid.window import Window
from clairemap.raster.store import GridStore
from clairemap.report.content import DisplaySettings
from clairemap.report.pictures import RgbValues, contrast_stretched, errors, optical_bands, sar_bands
from clairemap.report.pyramid import LayerSource
from clairemap.validity import Validity, has_none

log = logging.getLogger(__name__)

MAX_CANVAS_PX = 4 * 2**20
"""Maximum number of pixels of each layer, over all sections of a map."""

READ_PX = 512
"""Side of the window that is read at once, if tiles are smaller: many small reads are slow."""

MapIndices = Callable[[Window, int], NDArray[np.uint8]]
"""Returns the class indices of the map in a window, every `step` pixels."""


@dataclass(frozen=True)
class Canvas:
    """Pictures of a section of the map, every `step` pixels: colours (y, x, 4), class indices (y, x).

    `owner` has the number of the scene on top, 0 without one.
    """

    cells: Window
    step: int
    optical: RgbValues
    sar: RgbValues
    label: NDArray[np.uint8]
    owner: NDArray[np.uint16]

    @classmethod
    def of(cls, section: Window, step: int) -> "Canvas":
        """Return empty pictures of a section."""
        cells = section.coarsened(step)
        colors = (*cells.shape, 4)
        return cls(
            cells,
            step,
            np.zeros(colors, np.uint8),
            np.zeros(colors, np.uint8),
            np.full(cells.shape, IGNORE_INDEX, np.uint8),
            np.zeros(cells.shape, np.uint16),
        )

    def target(self, window: Window, back: PixelMapping) -> Window:
        """Return the cells that a window of a scene can touch."""
        y, x = back.probed(window)
        known = y > OUTSIDE / 2
        if not known.any():
            return Window(0, 0, 0, 0)
        top, left = np.floor(np.array([y[known].min(), x[known].min()]) / self.step).astype(int) - 1
        bottom, right = np.ceil(np.array([y[known].max(), x[known].max()]) / self.step).astype(int) + 2
        return Window(int(top), int(left), int(bottom - top), int(right - left)).intersection(self.cells)

    def paint(self, tile: "TileValues", there: PixelMapping, back: PixelMapping, number: int = 1) -> Counter[int]:
        """Draw a tile of the scene `number` at its place, on top of others; return the pixels covered of each."""
        target = self.target(tile.window, back)
        if target.is_empty:
            return Counter()
        rows, columns = (np.floor(each + 0.5).astype(np.int64) for each in self._scene_positions(target, there))
        rows, columns = rows - tile.window.y0, columns - tile.window.x0
        height, width = tile.window.shape
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        at, here = (rows[inside], columns[inside]), target.relative_to(self.cells).slices
        places = np.nonzero(inside)
        for picture, values in ((self.optical, tile.optical), (self.sar, tile.sar), (self.label, tile.label)):
            drawn, new = picture[here], values[at]
            seen = new[:, 3] > 0 if new.ndim == 2 else new != IGNORE_INDEX
            drawn[places[0][seen], places[1][seen]] = new[seen]
        seen = (tile.optical[at][:, 3] | tile.sar[at][:, 3]) > 0
        owners, seen_at = self.owner[here], (places[0][seen], places[1][seen])
        covered = owners[seen_at]
        owners[seen_at] = number
        return Counter(covered[(covered > 0) & (covered != number)].tolist())

    def _scene_positions(self, target: Window, there: PixelMapping) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        y = (np.arange(target.y0, target.y1) + 0.5) * self.step - 0.5
        x = (np.arange(target.x0, target.x1) + 0.5) * self.step - 0.5
        grid_y, grid_x = np.meshgrid(y, x, indexing="ij")
        offset = there.whole_offset_px
        return there.exact(grid_y, grid_x) if offset is None else (grid_y + offset.dy, grid_x + offset.dx)


@dataclass(frozen=True)
class TileValues:
    """A tile as colours with opacity (y, x, 4), and its labels (y, x)."""

    window: Window
    optical: RgbValues
    sar: RgbValues
    label: NDArray[np.uint8]


def read_tile(pair: GridStore, window: Window, display: DisplaySettings) -> TileValues:
    """Return the values of a tile.

    Raises:
        StoreError: the store is damaged.
    """
    flags = pair.read("validity", window)
    return TileValues(
        window,
        _colors(pair, "optical", window, has_none(flags, Validity.OPTICAL_NODATA), display),
        _colors(pair, "sar", window, has_none(flags, Validity.SAR_NODATA), display),
        pair.read("label", window),
    )


def _colors(
    pair: GridStore,
    sensor: Literal["optical", "sar"],
    window: Window,
    valid: NDArray[np.bool_],
    display: DisplaySettings,
) -> RgbValues:
    colors = np.zeros((*window.shape, 4), np.uint8)
    if valid.any():
        bands = optical_bands(display) if sensor == "optical" else sar_bands(display)
        stretch = display.optical if sensor == "optical" else display.sar
        values = np.nan_to_num(pair.read(sensor, window)[list(bands)].astype(np.float32))
        colors[..., :3] = contrast_stretched(values, stretch, bands)
        colors[..., 3] = np.where(valid, 255, 0)
    return colors


def paint_scene(
    store: GridStore, canvases: Sequence[Canvas], grid: GeoBox, display: DisplaySettings, number: int = 1
) -> Iterator[Counter[int]]:
    """Draw all tiles of a scene; yield the pixels that each covers of other scenes.

    Raises:
        StoreError: the store is damaged.
    """
    there, back = PixelMapping(grid, store.geobox), PixelMapping(store.geobox, grid)
    for tile in tiles(store.shape, store.tile_px * max(1, READ_PX // store.tile_px)):
        values = read_tile(store, tile.window, display)
        for canvas in canvases:
            yield canvas.paint(values, there, back, number)


class SceneLayers:
    """Pictures of the scenes of a map, by section."""

    def __init__(self, sections: Sequence[Window], grid: GeoBox) -> None:
        self.grid = grid
        self.step = 1
        while sum(part.height * part.width for part in sections) > MAX_CANVAS_PX * self.step**2:
            self.step *= 2
        self.canvases = [Canvas.of(section, self.step) for section in sections]
        self.covered: Counter[int] = Counter()

    def paint_scenes(self, stores: Iterable[GridStore], display: DisplaySettings) -> tuple[str, ...]:
        """Draw all tiles of the scenes, the last one on top; return the scenes that could not be read.

        `covered` has the number of pixels of each scene, counted from 1, that others cover.
        """
        unread = []
        for number, store in enumerate(stores, 1):
            try:
                for covered in paint_scene(store, self.canvases, self.grid, display, number):
                    self.covered += covered
            except ClairemapError as error:
                log.warning("%s: not shown on the report's map: %s", store.scene, error)
                unread.append(store.scene)
        return tuple(unread)

    def sources(self, mapped: MapIndices) -> list[LayerSource]:
        """Return the layers: optical image, SAR, labels, and errors of the map against the labels."""
        return [
            LayerSource("optical", "photograph", self.step, partial(self._read, "optical")),
            LayerSource("sar", "photograph", self.step, partial(self._read, "sar")),
            LayerSource("labels", "classes", self.step, partial(self._read, "label")),
            LayerSource(
                "errors",
                "errors",
                self.step,
                lambda window, step: errors(self._read("label", window, step), mapped(window, step)),
            ),
        ]

    def _read(self, name: str, window: Window, step: int) -> NDArray[np.uint8]:
        """Return the pixels in a window of the map, which is inside a section, every `step` map pixels."""
        cells, factor = window.coarsened(self.step), step // self.step
        canvas = next(each for each in self.canvases if each.cells.intersection(cells) == cells)
        part = getattr(canvas, name)[cells.relative_to(canvas.cells).slices]
        return np.ascontiguousarray(part[np.ix_(*(_middles(size, factor) for size in part.shape[:2]))])


def _middles(size: int, factor: int) -> NDArray[np.intp]:
    """Return the middle of each `factor` cells of `size`; of the rest at the end, the last cell if it is shorter."""
    return np.minimum(np.arange(factor // 2, size + factor // 2, factor), size - 1)
