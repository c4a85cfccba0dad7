"""Nodata holes as in real scenes: swath edges, detector gaps, missing blocks, with straight or ragged edges.

Each is a field of distances in pixels, thresholded at a share of the pixels.
"""

import math

import numpy as np
from scipy import ndimage

from clairemap.tiles.clouds import Field
from clairemap.validity import Mask

HOLE_SHARES = (0.02, 0.5)
"""Range of the uniform draw of the share of pixels in holes."""

AXIS_ALIGNED_CHANCE = 0.5
"""Probability of edges along rows and columns, like missing blocks of a file; otherwise at any angle."""

STRAIGHT_EDGE_CHANCE = 0.5
"""Probability of straight edges; otherwise noise makes them ragged."""


def sample_holes(shape: tuple[int, int], random: np.random.Generator) -> Mask:
    """Return a random nodata mask (y, x); its share is within `HOLE_SHARES`, as far as equal distances allow.

    Equal generators give equal holes.
    """
    share = random.uniform(*HOLE_SHARES)
    form = _SHAPES[random.integers(len(_SHAPES))]
    along, across = _axes(shape, random)
    field = form(along, across, random)
    if random.random() >= STRAIGHT_EDGE_CHANCE:
        field += _edge_noise(shape, random)
    rank = min(round((1 - share) * field.size), field.size - 1)
    level = np.partition(field, rank, axis=None)[rank]
    cut: Mask = field >= level
    return cut


def _axes(shape: tuple[int, int], random: np.random.Generator) -> tuple[Field, Field]:
    """Return each pixel's position along and across a random direction, in pixels from a random pixel."""
    angle = random.uniform(0, 2 * math.pi)
    if random.random() < AXIS_ALIGNED_CHANCE:
        angle = round(2 * angle / math.pi) * math.pi / 2
    row, column = (random.integers(side) for side in shape)
    y = np.arange(shape[0], dtype=np.float32)[:, None] - row
    x = np.arange(shape[1], dtype=np.float32)[None] - column
    sine, cosine = np.float32(math.sin(angle)), np.float32(math.cos(angle))
    return y * sine + x * cosine, y * cosine - x * sine


def _half_plane(along: Field, across: Field, random: np.random.Generator) -> Field:  # noqa: ARG001 - same signature
    """Return a field that rises to one side: the end of a swath."""
    return along.copy()


def _stripes(along: Field, across: Field, random: np.random.Generator) -> Field:
    """Return a field with parallel ridges: detector gaps; half of the draws widen to one side."""
    period_px = 2 ** random.uniform(3.5, 6.5)
    ridges = -np.abs((along + random.uniform(0, period_px)) % period_px - period_px / 2)
    widening = random.uniform(0.02, 0.2) if random.integers(2) else 0.0
    return np.asarray(ridges + widening * across, np.float32)


def _block(along: Field, across: Field, random: np.random.Generator) -> Field:
    """Return a field with a rectangular peak: a missing block of the file."""
    ratio = 2 ** random.uniform(-1.5, 1.5)
    return -np.maximum(np.abs(along) * np.float32(ratio), np.abs(across) / np.float32(ratio))


_SHAPES = (_half_plane, _stripes, _block)


def _edge_noise(shape: tuple[int, int], random: np.random.Generator) -> Field:
    """Return noise at two scales that moves an edge by pixels to tens of pixels."""
    coarse_px = 2 ** random.uniform(1, 4)
    noise = np.zeros(shape, np.float32)
    for grain_px in (coarse_px, coarse_px / 4):
        layer = ndimage.gaussian_filter(random.standard_normal(shape, np.float32), grain_px, mode="wrap")
        # Filtered white noise has a standard deviation of 1 / (2 sqrt(pi) grain); rescale it to the grain in pixels.
        noise += layer * np.float32(2 * math.sqrt(math.pi) * grain_px**2)
    return noise * np.float32(random.uniform(0.5, 1.5))
