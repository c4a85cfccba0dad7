"""Layers of the interactive map as pyramids of picture blocks, from coarse to fine, as far as the page's size allows.

Values (classes, percentages) are stored as deflated bytes, which the page colours; photographs as WEBP.
"""

import base64
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clairemap.grid.tiles import tiles
from clairemap.grid.window import Window
from clairemap.report.budget import Budget
from clairemap.report.map_frame import MapFrame
from clairemap.report.pictures import encoded

BLOCK_PX = 1024
"""Maximum side of a picture."""

GROWTH = 4
"""A level has at most this many times the bytes of the level before."""

Kind = Literal["classes", "percent", "scenes", "errors", "photograph"]


@dataclass(frozen=True)
class LayerSource:
    """Where the pixels of a layer come from.

    Attributes:
        key: name of the layer.
        kind: what its values mean.
        finest_step: smallest step that `read` supports, in pixels of the map.
        read: returns values (y, x), 255 for nodata, or colours with opacity (y, x, 4), of a window of the map, every
            `step` pixels.
    """

    key: str
    kind: Kind
    finest_step: int
    read: Callable[[Window, int], NDArray[np.uint8]]


@dataclass(frozen=True)
class Block:
    """A picture of part of a layer: `step` map pixels per picture pixel, `box` in display coordinates."""

    step: int
    box: tuple[float, float, float, float]
    height: int
    width: int
    data: str


@dataclass
class Pyramid:
    """The blocks of a layer, coarse ones first."""

    source: LayerSource
    blocks: list[Block] = field(default_factory=list)
    last_size: int = 0
    is_complete: bool = False

    @property
    def finest_step(self) -> int:
        """Map pixels per picture pixel of the finest block."""
        return min((block.step for block in self.blocks), default=1)


def top_step(window: Window, longest_px: int = BLOCK_PX) -> int:
    """Return the smallest power of two at which a window has at most `longest_px` pixels per side."""
    step = 1
    while max(window.shape) > longest_px * step:
        step *= 2
    return step


def pyramids(
    sources: Sequence[LayerSource], sections: Sequence[Window], frame: MapFrame, budget: Budget, longest_px: int
) -> list[Pyramid]:
    """Return a pyramid for each source: each level of all layers before the next finer one, while the budget lasts.

    The coarsest level has at most `longest_px` pixels per side of a section. It is always there.
    """
    built = [Pyramid(source) for source in sources]
    level = 0
    while not all(pyramid.is_complete for pyramid in built):
        for pyramid in built:
            if pyramid.is_complete:
                continue
            if level and not budget.allows(GROWTH * pyramid.last_size):
                pyramid.is_complete = True
                continue
            blocks = list(_level(pyramid.source, sections, frame, level, longest_px))
            pyramid.blocks.extend(blocks)
            pyramid.last_size = sum(len(block.data) for block in blocks)
            pyramid.is_complete = not blocks
            budget.use(pyramid.last_size)
        level += 1
    return built


def _level(
    source: LayerSource, sections: Sequence[Window], frame: MapFrame, level: int, longest_px: int
) -> Iterator[Block]:
    for section in sections:
        top = max(top_step(section, longest_px), source.finest_step)
        step = top >> level
        if step < source.finest_step:
            continue
        for part in _blocks(section, step, frame.shape):
            values = source.read(part, step)
            if (values[..., 3] if values.ndim == 3 else values != 255).any():
                yield _block(source, values, part, step, frame)


def _blocks(section: Window, step: int, shape: tuple[int, int]) -> Iterable[Window]:
    cells = section.coarsened(step)
    for tile in tiles(cells.shape, BLOCK_PX):
        yield tile.window.moved(cells.y0, cells.x0).refined(step).clipped(shape)


def _block(source: LayerSource, values: NDArray[np.uint8], part: Window, step: int, frame: MapFrame) -> Block:
    if source.kind == "photograph":
        return photograph(values, part, step, frame)
    turned = frame.turn.picture(values)
    return Block(step, frame.box(part), int(turned.shape[0]), int(turned.shape[1]), deflated(turned))


def photograph(values: NDArray[np.uint8], part: Window, step: int, frame: MapFrame) -> Block:
    """Return colours with opacity (y, x, 4) of a window of the map, every `step` pixels, as a block."""
    turned = frame.turn.picture(values)
    data = encoded(Image.fromarray(turned), "WEBP", quality=75, method=4).source
    return Block(step, frame.box(part), int(turned.shape[0]), int(turned.shape[1]), data)


def deflated(values: NDArray[np.uint8]) -> str:
    """Return bytes compressed by zlib, as Base64."""
    return base64.b64encode(zlib.compress(np.ascontiguousarray(values).tobytes(), 6)).decode()
