"""What one sensor sees of a place, as it is stored."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from clairemap.nets.layers import channels_last, fill_unseen
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

    def network_input(self, stride: int) -> tuple[Tensor, Tensor]:
        """Return bands times weight, and weights, as cells of `stride` take them up: see `layers.fill_unseen`."""
        if is_everywhere(self.weight):
            return self.masked(), self.weight
        seen = self.weight > 0
        return fill_unseen(self.masked(), seen, stride), fill_unseen(self.weight, seen, stride)

    def mean_weights(self, stride: int) -> Tensor:
        """Return for each cell the mean weight of what of it is seen, (B, H / stride, W / stride, 1): 0 if nothing."""
        _, _, height, width = self.weight.shape

        def of_rows(rows: slice) -> Tensor:
            weight = self.weight[:, :, rows]
            floating = weight if weight.is_floating_point() else weight.float()
            seen = functional.avg_pool2d((floating > 0).to(floating.dtype), stride)
            return channels_last(functional.avg_pool2d(floating, stride) / torch.where(seen > 0, seen, 1))

        return in_strips(of_rows, height, width, self.weight.device, stride)


def is_everywhere(weight: Tensor) -> bool:
    """Return whether all weights are known to be above 0. In training only a CPU is asked: it would hold up a GPU."""
    is_asked = weight.is_cpu or not torch.is_grad_enabled()
    return is_asked and bool((weight > 0).all())
