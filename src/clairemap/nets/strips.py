"""Computation in strips of rows, so that intermediate results are small and fit into the CPU's cache."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

STRIP_VALUES = 2**19
"""Values per strip on a CPU: 2 MB of float32."""

GPU_STRIP_VALUES = 2**23
"""Values per strip on a GPU: enough to occupy it, little compared with the network's memory."""


def strip_rows(row_values: int, device: torch.device, multiple: int = 1) -> int:
    """Return the number of rows of `row_values` values in a strip: a multiple of `multiple`, above 0."""
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
    """Return a function's results for strips of rows, joined to (B, height / stride, ...).

    While gradients are recorded, all rows are one strip, because autograd keeps the intermediate results anyway.

    Args:
        function: computes (B, rows / stride, ...) from a slice of rows.
        height: number of rows.
        row_values: intermediate values per row and image of the batch.
        device: device of the values.
        stride: input rows per output row.
        multiple: strips start at multiples of `stride` and of this.
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
