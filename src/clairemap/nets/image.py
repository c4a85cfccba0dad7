"""The image of one sensor, as stored, with its weights."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from clairemap.nets.layers import channels_first, channels_last, fill_unusable
from clairemap.nets.strips import in_strips


class Image(NamedTuple):
    """Bands, weight of each pixel, and the scaling of the bands for the network."""

    values: Tensor
    """(B, C, H, W), any numeric type."""
    weight: Tensor
    """(B, 1, H, W) in [0, 1], or bool: 0 for nodata or a missing sensor, 1 - p for cloud probability p."""
    scale: Callable[[Tensor], Tensor] | None = None
    """Converts bands (B, C, H, W) to normalised floating-point bands; None if they are normalised already."""

    @property
    def has_usable_pixels(self) -> bool:
        """Whether any pixel has weight above 0."""
        return bool(self.weight.any())

    def rows(self, rows: slice) -> "Image":
        """Return some rows, with normalised bands and the weights in the bands' type."""
        values = self.values[:, :, rows]
        scaled = self.scale(values) if self.scale else values
        return Image(scaled, self.weight[:, :, rows].to(scaled.dtype))

    def masked(self) -> Tensor:
        """Return normalised bands times weight; exactly 0 where the weight is 0, also for NaN."""
        return torch.where(self.weight > 0, self.values, 0) * self.weight

    def network_input(self, stride: int) -> tuple[Tensor, Tensor]:
        """Return bands times weight, and weights, both filled inside cells of `stride`: see `layers.fill_unusable`."""
        if all_usable(self.weight):
            return self.masked(), self.weight
        layers = torch.cat([self.masked(), self.weight], dim=1)
        filled = channels_first(fill_unusable(channels_last(layers), channels_last(self.weight > 0), stride))
        return filled[:, :-1], filled[:, -1:]

    def mean_weights(self, stride: int) -> Tensor:
        """Return the mean weight of each cell's usable pixels, (B, H / stride, W / stride, 1); 0 if it has none."""
        _, _, height, width = self.weight.shape

        def of_rows(rows: slice) -> Tensor:
            weight = self.weight[:, :, rows]
            floating = weight if weight.is_floating_point() else weight.float()
            usable = functional.avg_pool2d((floating > 0).to(floating.dtype), stride)
            return channels_last(functional.avg_pool2d(floating, stride) / torch.where(usable > 0, usable, 1))

        return in_strips(of_rows, height, width, self.weight.device, stride)


def all_usable(weight: Tensor) -> bool:
    """Return whether all weights are above 0; False in training on a GPU, where checking would synchronise it."""
    is_checked = weight.is_cpu or not torch.is_grad_enabled()
    return is_checked and bool((weight > 0).all())
