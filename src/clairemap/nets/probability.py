"""From logits to the class probabilities that are stored, as uint8."""

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

    If rounding ties another class with the likeliest one, the other class is stored 1 lower, so that the largest
    stored probability and the largest logit have the same class. Computed in strips along the second dimension.

    Args:
        logits: (K, H, W) or (K, N), any floating-point type; computed in float32.
        temperature: above 0.
    """
    whole = torch.empty(logits.shape, dtype=torch.uint8, device=logits.device)
    length = strip_rows(math.prod(logits.shape[2:]) * len(logits), logits.device)
    for source, target in zip(torch.split(logits, length, 1), torch.split(whole, length, 1), strict=True):
        _store(source.float().div(temperature), target)
    return _on_host(whole)


def upsampled_probability(logits: Tensor, core: Window, stride: int, temperature: float = 1.0) -> NDArray[np.uint8]:
    """Return the stored probabilities of a window, with logits interpolated bilinearly between the cells' centres.

    Equal to `stored_probability` of the upsampled logits, with only a strip of them in memory at a time.

    Args:
        logits: (K, H / stride, W / stride).
        core: window of pixels of (H, W).
        stride: side of a cell in pixels; with 1 nothing is interpolated.
        temperature: above 0.
    """
    if stride == 1:
        return stored_probability(logits[:, *core.slices], temperature)
    whole = torch.empty((len(logits), *core.shape), dtype=torch.uint8, device=logits.device)
    length = strip_rows(core.width * len(logits), logits.device, stride)
    for start in range(0, core.height, length):
        target = whole[:, start : start + length]
        strip = Window(core.y0 + start, core.x0, target.shape[1], core.width)
        _store(_upsampled(logits, strip, stride, temperature), target)
    return _on_host(whole)


def _on_host(values: Tensor) -> NDArray[np.uint8]:
    """Return values as an array in the host's memory.

    From a GPU into pinned memory, which PyTorch keeps for the next array: 55 GB/s on an H200, against 1.2 GB/s into
    memory that the process touches for the first time.
    """
    if values.is_cuda:
        values = torch.empty(values.shape, dtype=values.dtype, pin_memory=True).copy_(values)
    return np.asarray(values.numpy())


def _upsampled(logits: Tensor, core: Window, stride: int, temperature: float) -> Tensor:
    """Return the upsampled logits of a window, divided by the temperature.

    Interpolating along one axis after the other takes a third of the time of both at once.
    """
    cells = core.coarsened(stride)
    around = cells.grown(1)
    near = around.clipped((logits.shape[1], logits.shape[2]))
    padding = near.x0 - around.x0, around.x1 - near.x1, near.y0 - around.y0, around.y1 - near.y1
    scaled = logits[None, :, *near.slices].float() / temperature
    padded = functional.pad(scaled, padding, mode="replicate")[0]
    fine = _interpolate_axis(_interpolate_axis(padded, stride, 2), stride, 1)
    return fine[:, *core.relative_to(cells.refined(stride)).slices]


def _interpolate_axis(cells: Tensor, stride: int, dim: int) -> Tensor:
    """Return the pixels of all cells except the first and the last, interpolated linearly along a dimension."""
    kept = cells.shape[dim] - 2
    fine = cells.new_empty(*cells.shape[:dim], kept, stride, *cells.shape[dim + 1 :])
    for phase in range(stride):
        distance = (phase + 0.5) / stride + 0.5  # from the centre of the previous cell, in cells
        first = int(distance)
        before, after = (cells.narrow(dim, start, kept) for start in (first, first + 1))
        torch.lerp(before, after, distance - first, out=fine.select(dim + 1, phase))
    return fine.flatten(dim, dim + 1)


def _store(scaled: Tensor, target: Tensor) -> None:
    """Write the softmax over the first dimension as uint8, 1 lower where rounding ties a class with the likeliest one.

    Faster than torch's softmax and a direct conversion to uint8.
    """
    top = scaled.amax(dim=0)
    odds = (scaled - top).exp_()
    # Stored value of the likeliest class, whose odds are 1; NaN if its logit is infinite.
    scale = PROBABILITY_ONE / odds.sum(dim=0)
    target.copy_(odds.mul_(scale).round_().to(torch.int16))
    is_tied = target == scale.round_().nan_to_num_(PROBABILITY_ONE).to(torch.uint8)
    target.sub_(is_tied.logical_and_(scaled < top).view(torch.uint8))
