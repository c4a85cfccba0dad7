"""From logits to the probabilities that a map stores."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from clairemap.classes import FULL
from clairemap.grid.window import Window
from clairemap.nets.strips import strip_rows


def stored_probability(logits: Tensor, temperature: float = 1.0) -> NDArray[np.uint8]:
    """Return round(255 * softmax(logits / temperature)) over the first dimension, as uint8 on the CPU.

    Worked on in strips along the second dimension that stay in the processor's cache: half the time, and no copies of
    the logits.

    Args:
        logits: (K, H, W) or (K, N), of any floating type; computed with in float32.
        temperature: above 0.
    """
    whole = torch.empty(logits.shape, dtype=torch.uint8, device=logits.device)
    length = strip_rows(math.prod(logits.shape[2:]) * len(logits), logits.device)
    for source, target in zip(torch.split(logits, length, 1), torch.split(whole, length, 1), strict=True):
        _store(source.float().div(temperature), target)
    return np.asarray(whole.cpu().numpy())


def upsampled_probability(logits: Tensor, wanted: Window, stride: int, temperature: float = 1.0) -> NDArray[np.uint8]:
    """Return the stored probabilities of some pixels from the logits of cells, bilinear between the cells' centres.

    They are what `stored_probability` makes of the part of the upsampled logits, but nothing of the size of all
    classes' logits is ever made, and nothing is computed for the pixels left out.

    Args:
        logits: (K, H / stride, W / stride).
        wanted: pixels of (H, W).
        stride: pixels along a cell; 1 leaves nothing in between.
        temperature: above 0.
    """
    if stride == 1:
        return stored_probability(logits[:, *wanted.slices], temperature)
    whole = torch.empty((len(logits), *wanted.shape), dtype=torch.uint8, device=logits.device)
    length = strip_rows(wanted.width * len(logits), logits.device, stride)
    for start in range(0, wanted.height, length):
        target = whole[:, start : start + length]
        strip = Window(wanted.y0 + start, wanted.x0, target.shape[1], wanted.width)
        _store(_upsampled(logits, strip, stride, temperature), target)
    return np.asarray(whole.cpu().numpy())


def _upsampled(logits: Tensor, wanted: Window, stride: int, temperature: float) -> Tensor:
    """Return the upsampled logits of these pixels by the temperature: along the rows of cells first, then in between.

    That takes a third of the time of interpolating in both directions at once.
    """
    cells = wanted.coarsened(stride)
    near = cells.grown(1).clipped((logits.shape[1], logits.shape[2]))
    scaled = logits[None, :, *near.slices].float() / temperature
    wide = functional.interpolate(scaled, scale_factor=(1, stride), mode="bilinear")[0]
    above, below = near.y0 - (cells.y0 - 1), cells.y1 + 1 - near.y1  # rows beyond the edge are those at the edge
    wide = torch.cat([wide[:, :1]] * above + [wide] + [wide[:, -1:]] * below, dim=1)
    fine = wide.new_empty(len(wide), cells.height, stride, wide.shape[2])
    for phase in range(stride):
        between = (phase + 0.5) / stride + 0.5  # from the centre of the row above
        first = int(between)
        upper, lower = (wide[:, start : start + cells.height] for start in (first, first + 1))
        torch.lerp(upper, lower, between - first, out=fine[:, :, phase])
    place = wanted.relative_to(Window(cells.y0, near.x0, 0, 0).refined(stride))
    return fine.flatten(1, 2)[:, *place.slices]


def _store(scaled: Tensor, target: Tensor) -> None:
    target.copy_(torch.softmax(scaled, dim=0).mul_(FULL).round_())
