"""Working on rows of an image strip by strip, so that what comes in between is small and stays in the CPU's cache."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

STRIP_VALUES = 2**19
"""Values worked on at a time on a CPU: 2 MB of float32."""

GPU_STRIP_VALUES = 2**23
"""The same on a GPU: enough to fill it, little beside the network's own memory."""


def strip_rows(row_values: int, device: torch.device, multiple: int = 1) -> int:
    """Return how many rows of so many values are worked on at once: a multiple of `multiple`, at least one."""
    values = STRIP_VALUES if device.type == "cpu" else GPU_STRIP_VALUES
    return max(values // max(row_values, 1) // multiple, 1) * multiple


def in_strips(
    function: Callable[[slice], Tensor],
    height: int,
    row_values: int,
    device: torch.device,
    stride: int = 1,
    multiple: int = 1,
) -> Tensor:
    """Return what a function makes of some rows, for all rows, one strip below the other.

    While gradients are recorded all rows are one strip, since then everything in between is kept anyway.

    Args:
        function: of some of the rows, beginning at a multiple of both last arguments; returns (B, rows / stride, ...).
        height: of all rows.
        row_values: how many values it works on for each of them and each image of the batch.
        device: that it works on.
        stride: rows that become one.
        multiple: rows that belong together.
    """
    length = height if torch.is_grad_enabled() else strip_rows(row_values, device, math.lcm(stride, multiple))
    first = function(slice(0, min(length, height)))
    if length >= height:
        return first
    whole = first.new_empty((first.shape[0], height // stride, *first.shape[2:]))
    whole[:, : length // stride] = first
    for start in range(length, height, length):
        stop = min(start + length, height)
        whole[:, start // stride : stop // stride] = function(slice(start, stop))
    return whole
