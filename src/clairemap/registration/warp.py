"""Warping SAR, label and cloud rasters to another raster's grid, window by window.

All resampling happens here: SAR by cubic convolution (averaged first if the target grid is coarser), classes by
nearest neighbour. Grids that agree to a hundredth of a pixel are copied.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from clairemap.grid.coordinates import Coordinates
from clairemap.grid.mapping import OUTSIDE, PixelMapping
from clairemap.grid.mesh import MESH_PX
from clairemap.grid.points import Size
from clairemap.grid.window import Window
from clairemap.raster.source import Block, RasterSource
from clairemap.registration.sampling import REACH_PX, sample_cubic, sample_nearest
from clairemap.sar.backscatter import NO_AVERAGING, backscatter, reach_px
from clairemap.settings import TiledSar

COARSER_FROM = 1.5
"""Source pixels per target pixel from which SAR is averaged first; below, cubic convolution aliases little."""

CHUNK_PX = 2**20
"""Maximum pixels of either grid warped at once: about 100 MB of memory."""


@dataclass(frozen=True)
class SarOnGrid:
    """SAR raster on a target grid. Values are dB, or grey values if the scale is "digital"."""

    source: RasterSource
    indexes: tuple[int, ...]
    settings: TiledSar
    mapping: PixelMapping

    def read(self, window: Window) -> Block:
        """Return the bands (band, y, x), float32, of a window of the target grid; 0 where not valid.

        Memory: the window's arrays and the working memory of `CHUNK_PX` pixels, independent of the source resolution.
        """
        out = Block.empty(len(self.indexes), window, np.dtype(np.float32))
        return _assemble(out, window, self.mapping, self._filtered, sample_cubic)

    def _filtered(self, area: Window) -> Block:
        margin = reach_px(self.settings, self._box_px)
        block = _read_wrapped(self.source, area.grown(margin), self.indexes, self.mapping.source_period_px)
        values, valid = backscatter(block.values, block.valid, self.settings, self._box_px)
        inner = Window(margin, margin, *area.shape).slices
        return Block(values[:, *inner], valid[inner])

    @property
    def _box_px(self) -> Size[float]:
        spans = self.mapping.source_px_per_target_px
        return spans if max(spans) > COARSER_FROM else NO_AVERAGING


@dataclass(frozen=True)
class ClassesOnGrid:
    """Raster of codes (label or cloud mask) on a target grid, by nearest neighbour."""

    source: RasterSource
    mapping: PixelMapping
    index: int = 1

    def read(self, window: Window) -> Block:
        """Return the codes (1, y, x) of a window of the target grid in their number type; 0 where not valid."""
        out = Block.empty(1, window, self.source.dtype)
        return _assemble(out, window, self.mapping, self._codes, sample_nearest)

    def _codes(self, area: Window) -> Block:
        return _read_wrapped(self.source, area, (self.index,), self.mapping.source_period_px)


def _read_wrapped(source: RasterSource, window: Window, indexes: tuple[int, ...], period_px: int | None) -> Block:
    """Return the bands of a window; in a source around the whole Earth, the first column follows the last."""
    if period_px is None or (window.x0 >= 0 and window.x1 <= period_px):
        return source.read(window, indexes)
    blocks, x = [], window.x0
    while x < window.x1:
        column = x % period_px
        width = min(window.x1 - x, period_px - column)
        blocks.append(source.read(replace(window, x0=column, width=width), indexes))
        x += width
    return Block(np.concatenate([b.values for b in blocks], axis=2), np.concatenate([b.valid for b in blocks], axis=1))


ReadBlock = Callable[[Window], Block]
SampleBlock = Callable[[Block, Coordinates, Coordinates], Block]


def _assemble(out: Block, window: Window, mapping: PixelMapping, read: ReadBlock, sample: SampleBlock) -> Block:
    """Return `out` filled in chunks: copied where the grids match, sampled otherwise."""
    offset = mapping.whole_offset_px
    for part in _chunks(window, mapping):
        if offset is not None:
            block = read(part.moved(*offset))
        else:
            y, x = mapping.coordinates(part)
            area = _source_area(y, x, mapping)
            if area.is_empty:
                continue
            block = sample(read(area), y - area.y0, x - area.x0)
        place = part.relative_to(window).slices
        out.values[:, *place], out.valid[place] = block.values, block.valid
    return out


def _chunks(window: Window, mapping: PixelMapping) -> Iterator[Window]:
    """Yield the window in chunks of limited size, halving it along its longer side."""
    if max(window.shape) <= MESH_PX or _pixels(window, mapping) <= CHUNK_PX:
        yield window
        return
    height, width = window.shape
    if height >= width:
        first = replace(window, height=height // 2)
        second = replace(window, y0=first.y1, height=height - first.height)
    else:
        first = replace(window, width=width // 2)
        second = replace(window, x0=first.x1, width=width - first.width)
    yield from _chunks(first, mapping)
    yield from _chunks(second, mapping)


def _pixels(window: Window, mapping: PixelMapping) -> int:
    area = _source_area(*mapping.probed(window), mapping)
    return max(area.height * area.width, window.height * window.width)


def _source_area(y: Coordinates, x: Coordinates, mapping: PixelMapping) -> Window:
    """Return the source pixels around coordinates, clipped to the source; empty if none is inside."""
    height, width = (int(size) for size in mapping.source.shape)
    near = (y > -1) & (y < height)
    near &= (x > OUTSIDE / 2) if mapping.source_period_px else (x > -1) & (x < width)
    if not near.any():
        return Window(0, 0, 0, 0)
    y, x = y[near], x[near]
    top, left = math.floor(y.min()) - REACH_PX + 1, math.floor(x.min()) - REACH_PX + 1
    bottom, right = math.floor(y.max()) + REACH_PX + 1, math.floor(x.max()) + REACH_PX + 1
    return Window(top, left, bottom - top, right - left)
