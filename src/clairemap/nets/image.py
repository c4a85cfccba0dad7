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

    def entering(self, stride: int) -> tuple[Tensor, Tensor]:
        """Return bands times weight, and weights, as cells of `stride` take them up, (B, C, H, W) and (B, 1, H, W).

        In a cell seen in part, the pixels of weight 0 stand in for the mean of the others. With zeros in their place
        the cell would be ground of its own: nearer to the mean of all training pixels the less of it is seen, and the
        map would have more of the class that lies there, all along the rims of nodata.
        """
        seen = self.weight > 0
        # A shortcut for mapping; in training the question would hold up a GPU.
        if not torch.is_grad_enabled() and bool(seen.all()):
            return self.masked(), self.weight
        share = functional.avg_pool2d(seen.to(self.weight.dtype), stride)
        share = torch.where(share > 0, share, 1)

        def filled(pixels: Tensor) -> Tensor:
            mean = functional.avg_pool2d(pixels, stride) / share
            shape = (*mean.shape[:3], stride, mean.shape[3], stride)
            return torch.where(seen, pixels, mean[:, :, :, None, :, None].expand(shape).reshape(pixels.shape))

        return filled(self.masked()), filled(self.weight)

    def mean_weights(self, stride: int) -> Tensor:
        """Return for each cell the mean weight of what of it is seen, (B, H / stride, W / stride, 1): 0 if nothing."""
        _, _, height, width = self.weight.shape

        def of_rows(rows: slice) -> Tensor:
            weight = self.weight[:, :, rows]
            floating = weight if weight.is_floating_point() else weight.float()
            seen = functional.avg_pool2d((floating > 0).to(floating.dtype), stride)
            return channels_last(functional.avg_pool2d(floating, stride) / torch.where(seen > 0, seen, 1))

        return in_strips(of_rows, height, width, self.weight.device, stride)
