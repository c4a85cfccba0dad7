"""From logits to the probabilities that a map stores."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from clairemap.classes import FULL

STRIP_PX = 32_768
"""Pixels worked on at a time on a CPU: with tens of classes they still fit into its cache."""

GPU_STRIP_PX = 2**20
"""The same on a GPU: enough to fill it, little beside the network's own memory."""


def stored_probability(logits: Tensor, temperature: float = 1.0) -> NDArray[np.uint8]:
    """Return round(255 * softmax(logits / temperature)) over the first dimension, as uint8 on the CPU.

    Worked on in strips along the second dimension that stay in the processor's cache: half the time, and no copies of
    the logits.

    Args:
        logits: (K, H, W) or (K, N), of any floating type; computed with in float32.
        temperature: above 0.
    """
    whole = torch.empty(logits.shape, dtype=torch.uint8, device=logits.device)
    length = _strip_length(math.prod(logits.shape[2:]), logits.device)
    for source, target in zip(torch.split(logits, length, 1), torch.split(whole, length, 1), strict=True):
        _store(source, temperature, target)
    return np.asarray(whole.cpu().numpy())


def upsampled_probability(
    logits: Tensor, rows: slice, columns: slice, stride: int, temperature: float = 1.0
) -> NDArray[np.uint8]:
    """Return the stored probabilities of some pixels from the logits of cells, bilinear between the cells' centres.

    They are what `stored_probability` makes of the part of the upsampled logits, but nothing of the size of all
    classes' logits is ever made, and nothing is computed for the pixels left out.

    Args:
        logits: (K, H / stride, W / stride).
        rows: of the pixels wanted, 0..H.
        columns: the same, 0..W.
        stride: pixels along a cell; 1 leaves nothing in between.
        temperature: above 0.
    """
    if stride == 1:
        return stored_probability(logits[:, rows, columns], temperature)
    height, width = rows.stop - rows.start, columns.stop - columns.start
    whole = torch.empty((logits.shape[0], height, width), dtype=torch.uint8, device=logits.device)
    length = -(-_strip_length(width, logits.device) // stride) * stride
    for start in range(0, height, length):
        stop = min(start + length, height)
        strip = slice(rows.start + start, rows.start + stop)
        _store(_upsampled(logits, strip, columns, stride), temperature, whole[:, start:stop])
    return np.asarray(whole.cpu().numpy())


def _upsampled(logits: Tensor, rows: slice, columns: slice, stride: int) -> Tensor:
    """Return the upsampled logits of these pixels, with one more cell on each side to interpolate with."""
    (top, bottom), (left, right) = (
        (max(pixels.start // stride - 1, 0), -(-pixels.stop // stride) + 1) for pixels in (rows, columns)
    )
    cells = logits[None, :, top:bottom, left:right].float()
    fine = functional.interpolate(cells, scale_factor=stride, mode="bilinear")[0]
    y0, x0 = rows.start - top * stride, columns.start - left * stride
    return fine[:, y0 : y0 + rows.stop - rows.start, x0 : x0 + columns.stop - columns.start]


def _store(logits: Tensor, temperature: float, target: Tensor) -> None:
    shares = torch.softmax(logits.float().div(temperature), dim=0)
    target.copy_(shares.mul_(FULL).round_())


def _strip_length(width: int, device: torch.device) -> int:
    """Return how many rows of `width` pixels are worked on at once."""
    return max(1, (STRIP_PX if device.type == "cpu" else GPU_STRIP_PX) // max(width, 1))
