"""Layers on features laid out (B, H, W, C).

Channels stand last because LayerNorm, linear layers and attention windows then need no copies: on a CPU the
backward pass of a depthwise convolution alone is three times as fast as in (B, C, H, W). Convolutions see the
same memory as a (B, C, H, W) view in torch's ``channels_last`` format.

Every layer is local: none normalises or pools over space, which is what makes a tile's result that of the scene.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from clairemap.nets.strips import in_strips


class Sensors(NamedTuple):
    """One tensor of each sensor: features (B, H, W, C), or weights (B, H, W, 1) in [0, 1]."""

    optical: Tensor
    sar: Tensor


def channels_first(x_BHWC: Tensor) -> Tensor:
    """Return the (B, C, H, W) view of features."""
    return x_BHWC.permute(0, 3, 1, 2)


def channels_last(x_BCHW: Tensor) -> Tensor:
    """Return the (B, H, W, C) view of an image or of a convolution's result."""
    return x_BCHW.permute(0, 2, 3, 1)


def stays_bfloat16(x: Tensor) -> bool:
    """Return whether features remain bfloat16 between layers: on a GPU, where autocast's copies in float32 cost time.

    On a CPU autocast decides.
    """
    return x.is_cuda and x.dtype == torch.bfloat16


class CellNorm(nn.LayerNorm):
    """LayerNorm of each cell's channels; where features stay bfloat16 only its sums are float32, not its result."""

    def forward(self, x_BHWC: Tensor) -> Tensor:
        """Return normalised features."""
        if not stays_bfloat16(x_BHWC):
            return super().forward(x_BHWC)
        weight, bias = self.weight.to(x_BHWC.dtype), self.bias.to(x_BHWC.dtype)
        with torch.autocast(x_BHWC.device.type, enabled=False):
            return functional.layer_norm(x_BHWC, self.normalized_shape, weight, bias, self.eps)


class DepthwiseConv(nn.Module):
    """Convolution of each channel by itself, zero-padded; (B, H, W, C) to the same shape."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)
        # Strides as those of its gradient. The memory is the same, but DDP compares them and warns.
        self.conv.weight.data = self.conv.weight.data.to(memory_format=torch.channels_last)

    def forward(self, x_BHWC: Tensor) -> Tensor:
        """Return the filtered features."""
        return channels_last(self.conv(channels_first(x_BHWC)))


class PatchConv(nn.Module):
    """Convolution of patches that don't overlap: (B, H, W, C) to (B, H / stride, W / stride, D)."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, stride, stride=stride)

    def forward(self, x_BHWC: Tensor) -> Tensor:
        """Return one cell for each patch."""
        return channels_last(self.conv(channels_first(x_BHWC)))


class ConvNextBlock(nn.Module):
    """Residual block after ConvNeXt (Liu et al. 2022): depthwise 7x7, LayerNorm, MLP of four widths, layer scale.

    The layer scale begins at 0.1 rather than 1e-6: these networks are shallow and trained from scratch.
    """

    kernel = 7

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = DepthwiseConv(channels, self.kernel)
        self.norm = CellNorm(channels, eps=1e-6)
        self.expand = nn.Linear(channels, 4 * channels)
        self.shrink = nn.Linear(4 * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), 0.1))

    def forward(self, x_BHWC: Tensor) -> Tensor:
        """Return features of the same shape."""
        return cell_by_cell(self._mixed, x_BHWC, self.depthwise(x_BHWC), widest=4)

    def _mixed(self, x: Tensor, spread: Tensor) -> Tensor:
        mixed: Tensor = self.shrink(functional.gelu(self.expand(self.norm(spread))))
        if stays_bfloat16(x):
            return torch.addcmul(x, self.scale.to(x.dtype), mixed)
        return x + self.scale * mixed


def cell_by_cell(function: Callable[..., Tensor], *features_BHWC: Tensor, widest: int = 1) -> Tensor:
    """Return function(*features), which treats each cell by itself, computed in strips: see `strips.in_strips`.

    Args:
        function: of features (B, h, W, C), with a result of the same height and width.
        features_BHWC: all of the same height and width.
        widest: how many times the first one's C the channels in between are.
    """
    _, height, width, channels = features_BHWC[0].shape

    def of_rows(rows: slice) -> Tensor:
        return function(*(x[:, rows] for x in features_BHWC))

    return in_strips(of_rows, height, widest * channels * width, features_BHWC[0].device)


def only_seen(x_BHWC: Tensor, seen_BHW1: Tensor | None) -> Tensor:
    """Return features with zeros in the cells of which nothing is seen, as they are beyond an image's edge.

    So nodata inside a tile looks like the tile's edge, which every crop has and training knows. Without gradients it is
    done in place.

    Args:
        x_BHWC: features, finite, which the caller needs no more.
        seen_BHW1: bool; None if all cells are seen.
    """
    if seen_BHW1 is None:
        return x_BHWC
    seen = seen_BHW1.to(x_BHWC.dtype)  # a product: choosing takes four times as long on a CPU
    return x_BHWC * seen if torch.is_grad_enabled() else x_BHWC.mul_(seen)


def filled(x_BCHW: Tensor, seen_B1HW: Tensor, stride: int) -> Tensor:
    """Return pixels, all finite, those unseen in cells of `stride` seen in part standing in for the mean of the others.

    With zeros in their place a cell on the rim of nodata would be ground of its own: nearer to the mean of all training
    pixels the less of it is seen, and the map would have more of the class that lies there. Where nothing of a cell is
    seen it is 0.
    """
    share = functional.avg_pool2d(seen_B1HW.to(x_BCHW.dtype), stride)
    sums = functional.avg_pool2d(x_BCHW * seen_B1HW, stride)
    mean = sums / torch.where(share > 0, share, 1)

    def by_cell(pixels: Tensor) -> Tensor:
        images, channels, height, width = pixels.shape
        return pixels.reshape(images, channels, height // stride, stride, width // stride, stride)

    chosen = torch.where(by_cell(seen_B1HW), by_cell(x_BCHW), mean[:, :, :, None, :, None])
    return chosen.reshape(x_BCHW.shape)


def upsampled(x_BHWC: Tensor, factor: int) -> Tensor:
    """Return features or logits on a grid `factor` times as fine, bilinear between cell centres."""
    fine = functional.interpolate(channels_first(x_BHWC), scale_factor=factor, mode="bilinear", align_corners=False)
    return channels_last(fine)
