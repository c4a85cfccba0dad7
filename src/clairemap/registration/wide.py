"""Search for rotation and scale where georeferencing is missing or wrong."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy import ndimage

from clairemap.console import progress
from clairemap.grid.mapping import OUTSIDE, PixelMapping
from clairemap.grid.points import Point
from clairemap.grid.tiles import row_bands
from clairemap.grid.window import Window
from clairemap.raster.source import Block
from clairemap.registration.match import Pair
from clairemap.registration.model import Displacement
from clairemap.registration.structure import Structure, edge_structure

OVERVIEW_PX = 256
"""Maximum length of the overviews' longer side."""

COMPARED_SIDE_PX = 128
"""Maximum length of the longer side of compared images. At this size, all of 100 real pairs (SRIF) are found."""

LARGEST_SCALE = 2.0
"""Scales from 1 / LARGEST_SCALE to LARGEST_SCALE are tried."""

SCALE_STEP = 1.1
ROTATION_STEP_DEG = 5.0
"""Steps that move edges at the image borders by at most an edge's width."""

REFINEMENTS = 2
"""Number of times the steps around the best candidate are halved."""

BLUR_PX = 0.45
"""Sigma of the Gaussian before downsampling, in pixels of the smaller image."""

MOSTLY_VALID = 0.99
"""Minimum share of valid pixels for a valid pixel of the smaller image."""

READ_ROWS = 512
"""Rows read at once."""


@dataclass(frozen=True)
class Similarity:
    """SAR content of optical (y, x) is at R(rotation) · scale · ((y, x) - origin) + target, in optical pixels.

    `peak` is the correlation's maximum in standard deviations over all shifts.
    """

    rotation_deg: float
    scale: float
    origin: Point[float]
    target: Point[float]
    peak: float

    @property
    def displacement(self) -> Displacement:
        """The similarity as a displacement model."""
        angle = math.radians(self.rotation_deg)
        along, across = self.scale * math.cos(angle), self.scale * math.sin(angle)
        return Displacement(
            "affine",
            (self.target.y - self.origin.y, -across, along - 1),
            (self.target.x - self.origin.x, along - 1, across),
            self.origin,
        )


@dataclass(frozen=True)
class _Overview:
    """Scene downsampled by `factor`; `origin` in optical pixels."""

    block: Block
    factor: int
    origin: Point[int]

    def place(self, y: float, x: float) -> Point[float]:
        """Return the optical pixel of an overview pixel."""
        middle = (self.factor - 1) / 2
        return Point(self.origin.y + y * self.factor + middle, self.origin.x + x * self.factor + middle)


def find_similarity(pair: Pair) -> Similarity | None:
    """Return the rotation, scale and shift with the highest correlation of both structures; None without structure.

    Memory: two overviews of `OVERVIEW_PX` and one strip of a scene.
    """
    optical, sar = _overviews(pair)
    found = list(_candidates(optical, sar, _coarse_steps(), "searching rotation and scale"))
    if not found:
        return None
    best = max(found, key=lambda each: each.peak)
    for halving in range(1, REFINEMENTS + 1):
        nearby = list(_candidates(optical, sar, _steps_around(best, 0.5**halving)))
        best = max([best, *nearby], key=lambda each: each.peak)
    return best


def _overviews(pair: Pair) -> tuple[_Overview, _Overview]:
    """Return both scenes downsampled by the same factor; SAR is clipped to one scene side around the optical scene."""
    optical = Window.whole(pair.shape)
    sar = _sar_extent(pair).intersection(optical.grown(max(pair.shape)))
    factor = math.ceil(max(*optical.shape, *sar.shape) / OVERVIEW_PX)
    return _overview(pair.optical_reduced, optical, factor), _overview(pair.sar_reduced, sar, factor)


def _sar_extent(pair: Pair) -> Window:
    """Return the extent of SAR on the optical grid by georeferencing."""
    mapping = pair.sar.mapping
    y, x = PixelMapping(mapping.source, mapping.target).probed(Window.whole(mapping.source.shape.yx))
    seen = (y > OUTSIDE / 2) & (x > OUTSIDE / 2)
    y0, x0 = math.floor(y[seen].min()), math.floor(x[seen].min())
    return Window(y0, x0, math.ceil(y[seen].max()) + 1 - y0, math.ceil(x[seen].max()) + 1 - x0)


def _overview(read: Callable[[Window, int], Block], window: Window, factor: int) -> _Overview:
    cells, height = window.coarsened(factor), max(READ_ROWS // factor, 1)
    strips = [read(band.moved(cells.y0, cells.x0), factor) for band in row_bands(cells.shape, height)]
    values = np.concatenate([strip.values for strip in strips], axis=1)
    valid = np.concatenate([strip.valid for strip in strips])
    return _Overview(Block(values, valid), factor, Point(cells.y0 * factor, cells.x0 * factor))


Steps = list[tuple[float, list[float]]]
"""Scales, each with the rotations to try."""


def _coarse_steps() -> Steps:
    count = round(math.log(LARGEST_SCALE) / math.log(SCALE_STEP))
    rotations = [float(each) for each in np.arange(-180, 180, ROTATION_STEP_DEG)]
    return [(SCALE_STEP**power, rotations) for power in range(-count, count + 1)]


def _steps_around(best: Similarity, part: float) -> Steps:
    rotations = [best.rotation_deg + step * part * ROTATION_STEP_DEG for step in (-1, 0, 1)]
    return [(best.scale * SCALE_STEP ** (step * part), rotations) for step in (-1, 0, 1)]


def _candidates(optical: _Overview, sar: _Overview, steps: Steps, label: str | None = None) -> Iterator[Similarity]:
    for scale, rotations in progress(steps, label) if label else steps:
        size = min(
            1.0, 1 / scale, COMPARED_SIDE_PX / max(max(optical.block.valid.shape) * scale, *sar.block.valid.shape)
        )
        template, search = _resize(optical.block, size * scale), _resize(sar.block, size)
        if template.any() and search.any():
            yield from _rotations(optical, sar, scale, size, template, search, rotations)


def _rotations(
    optical: _Overview, sar: _Overview, scale: float, size: float,
    template: Structure, search: Structure, rotations: list[float],
) -> Iterator[Similarity]:  # fmt: skip
    """Yield the best shift of each rotation; `size` is the scale of the structures relative to the overviews."""
    extent = math.ceil(math.hypot(*template.shape))
    side = scipy.fft.next_fast_len(extent + max(search.shape))
    spectrum = scipy.fft.fft2(search, (side, side))
    middle = [(each - 1) / 2 for each in optical.block.valid.shape]
    for rotation in rotations:
        rotated = _rotate(template, math.radians(rotation), extent)
        surface = scipy.fft.ifft2(np.conj(scipy.fft.fft2(rotated, (side, side))) * spectrum).real
        top = int(np.argmax(surface))
        shift = (at if at < most else at - side for at, most in zip(divmod(top, side), search.shape, strict=True))
        matched = [(at + (extent - 1) / 2 + 0.5) / size - 0.5 for at in shift]
        spread = float(surface.std())
        height = float(surface.flat[top]) / spread if spread else 0.0  # images without structure
        yield Similarity(rotation, scale, optical.place(*middle), sar.place(*matched), height)


def _resize(block: Block, scale: float) -> Structure:
    shape = tuple(max(round(side * scale), 1) for side in block.valid.shape)

    def sampled(band: NDArray[np.float32]) -> NDArray[np.float32]:
        smooth = ndimage.gaussian_filter(band, BLUR_PX / scale) if scale < 1 else band
        offset = 0.5 / scale - 0.5
        return np.asarray(ndimage.affine_transform(smooth, [1 / scale] * 2, offset, shape, order=1, mode="nearest"))

    if not block.valid.any():
        return np.zeros(shape, np.complex64)
    filled = [np.where(block.valid, band, band[block.valid].mean()).astype(np.float32) for band in block.values]
    valid = sampled(block.valid.astype(np.float32)) > MOSTLY_VALID
    return edge_structure(np.stack([sampled(band) for band in filled]), valid)


def _rotate(structure: Structure, angle: float, extent: int) -> Structure:
    """Return structure rotated about its centre in a square that contains all of it; its directions rotate too."""
    cos, sin = math.cos(angle), math.sin(angle)
    matrix = np.array([[cos, sin], [-sin, cos]])
    middle = (np.array(structure.shape) - 1) / 2
    offset = middle - matrix @ np.full(2, (extent - 1) / 2)
    real, imag = (
        ndimage.affine_transform(part, matrix, offset, (extent, extent), order=1)
        for part in (structure.real, structure.imag)
    )
    return np.asarray((real + 1j * imag) * np.exp(-2j * angle), np.complex64)
