"""Interpolation between the pixels of a masked array.

Both functions are local: a sample depends only on the 4 x 4 pixels around it, so results do not depend on the window.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from clairemap.grid.coordinates import Coordinates
from clairemap.raster.source import Block

REACH_PX = 2
"""Maximum distance of the pixels used from a coordinate."""

SNAP_PX = 1e-6
"""Coordinates this close to a pixel centre are on it, so that rounding does not require a neighbour."""


def sample_nearest(block: Block, y: Coordinates, x: Coordinates) -> Block:
    """Return the values of the pixels that contain the coordinates (pixel centres, 0 = first), in their number type.

    Coordinates outside the block give 0, not valid.
    """
    height, width = block.valid.shape
    row, col = np.floor(y + 0.5), np.floor(x + 0.5)
    inside = (row >= 0) & (row < height) & (col >= 0) & (col < width)
    flat = np.where(inside, row * width + col, 0).astype(np.intp)
    valid = inside & block.valid.ravel()[flat]
    values = np.where(valid, block.values.reshape(len(block.values), -1)[:, flat], block.values.dtype.type(0))
    return Block(values, valid)


def sample_cubic(block: Block, y: Coordinates, x: Coordinates) -> Block:
    """Return values interpolated at coordinates (pixel centres, 0 = first), float32; 0 where not valid.

    Cubic convolution where all 4 x 4 pixels around are valid, bilinear where only the pixels with a bilinear weight are
    valid; elsewhere the result is not valid. On pixel centres the values are exact.

    Source: R. Keys, Cubic convolution interpolation for digital image processing, IEEE TASSP 1981, a = -1/2.
    """
    height, width = block.valid.shape
    row, part_y = _split(y)
    col, part_x = _split(x)
    inside = (row >= -1) & (row <= height) & (col >= -1) & (col <= width)
    stride = width + 2 * REACH_PX + 1
    flat = np.where(inside, (row + REACH_PX) * stride + col + REACH_PX, 0).astype(np.intp)
    valid = np.pad(block.valid, ((REACH_PX, REACH_PX + 1),) * 2)
    cubic = inside & _surrounded(valid).ravel()[flat]
    linear = inside & ~cubic & _bilinear_support(valid, flat, part_y > 0, part_x > 0)
    out = np.zeros((len(block.values), *y.shape), np.float32)
    for band, values in zip(out, block.values, strict=True):
        padded = np.pad(values.astype(np.float32, copy=False), ((REACH_PX, REACH_PX + 1),) * 2).ravel()
        band[cubic] = _convolve(padded, stride, flat[cubic], _cubic(part_y[cubic]), _cubic(part_x[cubic]))
        band[linear] = _convolve(padded, stride, flat[linear], _linear(part_y[linear]), _linear(part_x[linear]))
    return Block(out, cubic | linear)


def _split(coordinate: Coordinates) -> tuple[Coordinates, NDArray[np.float32]]:
    """Return the pixel at or before a coordinate and the fraction after it, 0 <= fraction < 1."""
    nearest = np.rint(coordinate)
    snapped = np.where(np.abs(coordinate - nearest) < SNAP_PX, nearest, coordinate)
    whole = np.floor(snapped)
    return whole, (snapped - whole).astype(np.float32)


def _surrounded(valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return for each pixel whether the 4 x 4 pixels from one before it to two after it are all valid."""
    # An even window extends one pixel further back than ahead; origin -1 reverses that.
    surrounded: NDArray[np.bool_] = np.array(ndimage.minimum_filter(valid, 4, mode="constant", origin=-1))
    return surrounded


def _bilinear_support(
    valid: NDArray[np.bool_], flat: NDArray[np.intp], below: NDArray[np.bool_], right: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    stride = valid.shape[1]
    cells = valid.ravel()
    last = cells.size - 1
    support = cells[flat]
    support &= ~below | cells[np.minimum(flat + stride, last)]
    support &= ~right | cells[np.minimum(flat + 1, last)]
    support &= ~(below & right) | cells[np.minimum(flat + stride + 1, last)]
    return support


Taps = list[tuple[int, NDArray[np.float32]]]


def _convolve(
    values: NDArray[np.float32], stride: int, flat: NDArray[np.intp], rows: Taps, cols: Taps
) -> NDArray[np.float32]:
    total = np.zeros(flat.shape, np.float32)
    for down, weight in rows:
        line = np.zeros(flat.shape, np.float32)
        for right, part in cols:
            line += part * values[flat + (down * stride + right)]
        total += weight * line
    return total


def _linear(part: NDArray[np.float32]) -> Taps:
    return [(0, 1 - part), (1, part)]


def _cubic(part: NDArray[np.float32]) -> Taps:
    square = part * part
    cube = square * part
    return [
        (-1, -0.5 * cube + square - 0.5 * part),
        (0, 1.5 * cube - 2.5 * square + 1),
        (1, -1.5 * cube + 2 * square + 0.5 * part),
        (2, 0.5 * cube - 0.5 * square),
    ]
