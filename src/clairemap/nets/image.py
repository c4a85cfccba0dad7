"""What one sensor sees of a place, as it is stored."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from clairemap.nets.layers import channels_last
from clairemap.nets.strips import in_strips


class Image(NamedTuple):
    """Bands, how much each pixel counts, and how bands come to the scale that the network works on."""

    values: Tensor
    """(B, C, H, W), of any number type."""
    weight: Tensor
    """(B, 1, H, W) in [0, 1], or bool: 0 is nodata or a missing sensor, 1 - p under cloud of probability p."""
    scale: Callable[[Tensor], Tensor] | None = None
    """From bands (B, C, H, W) to floating ones of the same shape; None if they have that scale already."""

    @property
    def is_seen(self) -> bool:
        """Whether any pixel counts."""
        return bool(self.weight.any())

    def rows(self, rows: slice) -> "Image":
        """Return some rows, on the network's scale and with the weights in its number type."""
        values = self.values[:, :, rows]
        scaled = self.scale(values) if self.scale else values
        return Image(scaled, self.weight[:, :, rows].to(scaled.dtype))

    def masked(self) -> Tensor:
        """Return bands, if they are on the network's scale, times weight; finite where that is 0, whatever they are."""
        return torch.where(self.weight > 0, self.values, 0) * self.weight

    def mean_weights(self, stride: int) -> Tensor:
        """Return the mean weight of each cell, (B, H / stride, W / stride, 1): 0 only where all are 0."""
        _, _, height, width = self.weight.shape

        def of_rows(rows: slice) -> Tensor:
            weight = self.weight[:, :, rows]
            floating = weight if weight.is_floating_point() else weight.float()
            return channels_last(functional.avg_pool2d(floating, stride))

        return in_strips(of_rows, height, width, self.weight.device, stride)
