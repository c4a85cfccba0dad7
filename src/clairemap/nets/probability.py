"""From logits to the probabilities that a map stores."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from clairemap.classes import PROBABILITY_ONE
from clairemap.grid.window import Window
from clairemap.nets.strips import strip_rows


def stored_probability(logits: Tensor, temperature: float = 1.0) -> NDArray[np.uint8]:
    """Return round(255 * softmax(logits / temperature)) over the first dimension, as uint8 on the CPU.

    Where rounding would make another class level with the likeliest, that other gets 1 less: the class of a map is that
    of the logits.

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
    """Return the upsampled logits of these pixels by the temperature.

    Along one direction and then the other takes a third of the time of interpolating in both at once.
    """
    cells = wanted.coarsened(stride)
    around = cells.grown(1)
    near = around.clipped((logits.shape[1], logits.shape[2]))
    beyond = near.x0 - around.x0, around.x1 - near.x1, near.y0 - around.y0, around.y1 - near.y1
    scaled = logits[None, :, *near.slices].float() / temperature
    framed = functional.pad(scaled, beyond, mode="replicate")[0]  # cells beyond the edge are those at the edge
    fine = _interpolate_axis(_interpolate_axis(framed, stride, 2), stride, 1)
    return fine[:, *wanted.relative_to(cells.refined(stride)).slices]


def _interpolate_axis(cells: Tensor, stride: int, dim: int) -> Tensor:
    """Return the pixels of all cells but the first and the last along a dimension, linear between the centres."""
    kept = cells.shape[dim] - 2
    fine = cells.new_empty(*cells.shape[:dim], kept, stride, *cells.shape[dim + 1 :])
    for phase in range(stride):
        between = (phase + 0.5) / stride + 0.5  # from the centre of the cell before
        first = int(between)
        before, after = (cells.narrow(dim, start, kept) for start in (first, first + 1))
        torch.lerp(before, after, between - first, out=fine.select(dim + 1, phase))
    return fine.flatten(dim, dim + 1)


def _store(scaled: Tensor, target: Tensor) -> None:
    """Write softmax over the first dimension as uint8, and 1 less where only rounding makes a class the likeliest.

    In single steps, and to uint8 by way of int16: both take as long as torch's own of the first alone.
    """
    top = scaled.amax(dim=0)
    odds = (scaled - top).exp_()
    # What the likeliest class gets, whose odds are 1; NaN where its logit is infinite.
    scale = PROBABILITY_ONE / odds.sum(dim=0)
    target.copy_(odds.mul_(scale).round_().to(torch.int16))
    is_level = target == scale.round_().nan_to_num_(PROBABILITY_ONE).to(torch.uint8)
    target.sub_(is_level.logical_and_(scaled < top).view(torch.uint8))
