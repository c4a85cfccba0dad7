"""Bringing SAR, label and cloud rasters onto another raster's grid, window by window.

This is the only place where values are resampled: SAR by cubic convolution (averaged first where the target grid is
coarser), classes by the nearest pixel. Grids that agree to a hundredth of a pixel are copied instead.
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
from clairemap.registration.sampling import REACH_PX, sampled_cubic, sampled_nearest
from clairemap.sar.backscatter import NO_AVERAGING, backscatter, reach_px
from clairemap.settings import SarSettings

COARSER_FROM = 1.5
"""From this many source pixels to a target pixel on they are averaged; below, cubic convolution aliases little."""

PART_PX = 2**20
"""Windows are warped in parts of at most as many pixels of either grid: about 100 MB while one is worked on."""


@dataclass(frozen=True)
class SarOnGrid:
    """A SAR raster seen on a target grid. Values are dB, or grey values where the scale is "digital"."""

    source: RasterSource
    indexes: tuple[int, ...]
    settings: SarSettings
    mapping: PixelMapping

    def read(self, window: Window) -> Block:
        """Return the bands (band, y, x), float32, of a window of the target grid; 0 where not valid.

        Memory: the window's own arrays and what `PART_PX` pixels need, however fine the source is.
        """
        out = Block.empty(len(self.indexes), window, np.dtype(np.float32))
        return _put_together(out, window, self.mapping, self._filtered, sampled_cubic)

    def _filtered(self, area: Window) -> Block:
        margin = reach_px(self.settings, self._box_px)
        block = _read_round(self.source, area.grown(margin), self.indexes, self.mapping.source_period_px)
        values, valid = backscatter(block.values, block.valid, self.settings, self._box_px)
        inner = Window(margin, margin, *area.shape).slices
        return Block(values[:, *inner], valid[inner])

    @property
    def _box_px(self) -> Size[float]:
        spans = self.mapping.source_px_per_target_px
        return spans if max(spans) > COARSER_FROM else NO_AVERAGING


@dataclass(frozen=True)
class ClassesOnGrid:
    """A raster of codes, such as labels or a cloud mask, seen on a target grid: the nearest pixel's code."""

    source: RasterSource
    mapping: PixelMapping
    index: int = 1

    def read(self, window: Window) -> Block:
        """Return the band of codes (1, y, x) in its number type for a window of the target grid; 0 where not valid."""
        out = Block.empty(1, window, self.source.dtype)
        return _put_together(out, window, self.mapping, self._codes, sampled_nearest)

    def _codes(self, area: Window) -> Block:
        return _read_round(self.source, area, (self.index,), self.mapping.source_period_px)


def _read_round(source: RasterSource, window: Window, indexes: tuple[int, ...], period_px: int | None) -> Block:
    """Return the bands of a window; in a source around the whole Earth the first column follows the last."""
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


def _put_together(out: Block, window: Window, mapping: PixelMapping, read: ReadBlock, sample: SampleBlock) -> Block:
    """Return `out` filled part by part: copied where the grids' pixels are the same ones, sampled elsewhere."""
    offset = mapping.whole_offset_px
    for part in _parts(window, mapping):
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


def _parts(window: Window, mapping: PixelMapping) -> Iterator[Window]:
    """Yield the window in parts that are cheap enough, halving it along its longer side as often as needed."""
    if max(window.shape) <= MESH_PX or _pixels(window, mapping) <= PART_PX:
        yield window
        return
    height, width = window.shape
    if height >= width:
        first = replace(window, height=height // 2)
        second = replace(window, y0=first.y1, height=height - first.height)
    else:
        first = replace(window, width=width // 2)
        second = replace(window, x0=first.x1, width=width - first.width)
    yield from _parts(first, mapping)
    yield from _parts(second, mapping)


def _pixels(window: Window, mapping: PixelMapping) -> int:
    """Return about how many pixels a window spans on the grid where it spans more."""
    area = _source_area(*mapping.probed(window), mapping)
    return max(area.height * area.width, window.height * window.width)


def _source_area(y: Coordinates, x: Coordinates, mapping: PixelMapping) -> Window:
    """Return the source pixels around coordinates, cut off where the source ends; empty if none lies in it."""
    height, width = (int(size) for size in mapping.source.shape)
    near = (y > -1) & (y < height)
    near &= (x > OUTSIDE / 2) if mapping.source_period_px else (x > -1) & (x < width)
    if not near.any():
        return Window(0, 0, 0, 0)
    y, x = y[near], x[near]
    top, left = math.floor(y.min()) - REACH_PX + 1, math.floor(x.min()) - REACH_PX + 1
    bottom, right = math.floor(y.max()) + REACH_PX + 1, math.floor(x.max()) + REACH_PX + 1
    return Window(top, left, bottom - top, right - left)
