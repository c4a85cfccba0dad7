"""Layers on features of shape (B, H, W, C).

With channels last, LayerNorm, linear layers and attention windows need no copies, and on a CPU the backward pass of a
depthwise convolution is three times as fast as with (B, C, H, W). Convolutions use the same memory as a (B, C, H, W)
view in torch's ``channels_last`` format.

No layer normalises or pools over space, so the result for a tile equals the result for the scene.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from clairemap.nets.strips import in_strips

LARGEST_INDEX = 2**31
"""Number of values from which 32 bits cannot index them."""


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
    """Return whether features stay bfloat16 between layers: on a GPU, where autocast's float32 copies are slow.

    On a CPU autocast decides.
    """
    return x.is_cuda and x.dtype == torch.bfloat16


def avoids_cudnn(x: Tensor) -> bool:
    """Return whether convolutions avoid cuDNN: on a GPU in inference mode, which mapping uses.

    cuDNN makes a plan for each new shape in each thread. On an H200 that takes 0.16 to 0.7 s, and a scene's windows
    have several shapes. PyTorch's own depthwise kernel needs none: 16 ms for 2048 x 2048 cells of 64 channels, against
    5 ms with a plan. Training and validation repeat their shapes, so there cuDNN is faster.
    """
    # Gradients first: `torch.compile` of a training step cannot trace the other conditions.
    is_inference = x.is_cuda and not torch.is_grad_enabled() and torch.is_inference_mode_enabled()
    return is_inference and x.numel() < LARGEST_INDEX  # beyond, the kernel's indices could overflow


class CellNorm(nn.LayerNorm):
    """LayerNorm over each cell's channels; if features stay bfloat16, only its sums are float32."""

    def forward(self, x_BHWC: Tensor) -> Tensor:
        """Return normalised features."""
        if not stays_bfloat16(x_BHWC):
            return super().forward(x_BHWC)
        weight, bias = self.weight.to(x_BHWC.dtype), self.bias.to(x_BHWC.dtype)
        with torch.autocast(x_BHWC.device.type, enabled=False):
            return functional.layer_norm(x_BHWC, self.normalized_shape, weight, bias, self.eps)


class DepthwiseConv(nn.Module):
    """Depthwise convolution, zero-padded; (B, H, W, C) to the same shape."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)
        # Same strides as its gradient, because DDP warns if they differ.
        self.conv.weight.data = self.conv.weight.data.to(memory_format=torch.channels_last)

    def forward(self, x_BHWC: Tensor) -> Tensor:
        """Return the filtered features."""
        if avoids_cudnn(x_BHWC):
            return self._by_own_kernel(x_BHWC)
        return channels_last(self.conv(channels_first(x_BHWC)))

    def _by_own_kernel(self, x_BHWC: Tensor) -> Tensor:
        """Return the filtered features by PyTorch's CUDA kernel, which takes (B, C, H, W) and is not under autocast."""
        device = x_BHWC.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x_BHWC.dtype
        weight, bias = self.conv.weight.to(dtype).contiguous(), self.conv.bias
        assert bias is not None
        found = depthwise_kernel(channels_first(x_BHWC).to(dtype).contiguous(), weight, bias.to(dtype))
        return channels_last(found).contiguous()


def depthwise_kernel(x_BCHW: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return a zero-padded depthwise convolution by PyTorch's own CUDA kernel; all arguments contiguous, of one dtype.

    `conv2d` would use it for float32 alone.
    """
    kernel = weight.shape[2:]
    padding = [side // 2 for side in kernel]
    found: Tensor = torch.ops.aten._conv_depthwise2d(x_BCHW, weight, kernel, bias, [1, 1], padding, [1, 1])
    return found


class PatchConv(nn.Module):
    """Convolution of non-overlapping patches: (B, H, W, C) to (B, H / stride, W / stride, D)."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, stride, stride=stride)

    def forward(self, x_BHWC: Tensor) -> Tensor:
        """Return one cell for each patch."""
        if avoids_cudnn(x_BHWC):
            return self._by_product(x_BHWC)
        return channels_last(self.conv(channels_first(x_BHWC)))

    def _by_product(self, x_BHWC: Tensor) -> Tensor:
        """Return one cell for each patch, as a matrix product of patches and weights."""
        side = self.conv.stride[0]
        batch, height, width, channels = x_BHWC.shape
        rows = x_BHWC.reshape(batch, height // side, side, width // side, side, channels).transpose(2, 3)
        patches = rows.reshape(batch, height // side, width // side, side * side * channels)
        return functional.linear(patches, channels_last(self.conv.weight).flatten(1), self.conv.bias)


class ConvNextBlock(nn.Module):
    """ConvNeXt block (Liu et al. 2022): depthwise 7x7, LayerNorm, MLP with four times the width, layer scale, residual.

    The layer scale is initialised to 0.1, not 1e-6, because these networks are shallow and trained from scratch.
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
        return in_cell_strips(self._add_mlp, x_BHWC, self.depthwise(x_BHWC), expansion=4)

    def _add_mlp(self, x: Tensor, spread: Tensor) -> Tensor:
        mixed: Tensor = self.shrink(functional.gelu(self.expand(self.norm(spread))))
        if stays_bfloat16(x):
            return torch.addcmul(x, self.scale.to(x.dtype), mixed)
        return x + self.scale * mixed


def in_cell_strips(function: Callable[..., Tensor], *features_BHWC: Tensor, expansion: int = 1) -> Tensor:
    """Return function(*features) for a function of single cells, computed in strips: see `strips.in_strips`.

    Args:
        function: from features (B, h, W, C) to a result of the same height and width.
        features_BHWC: all of the same height and width.
        expansion: intermediate channels as a multiple of the first feature's C.
    """
    _, height, width, channels = features_BHWC[0].shape

    def of_rows(rows: slice) -> Tensor:
        return function(*(x[:, rows] for x in features_BHWC))

    return in_strips(of_rows, height, expansion * channels * width, features_BHWC[0].device)


def zero_unusable(x_BHWC: Tensor, usable_BHW1: Tensor | None) -> Tensor:
    """Return features with 0 in unusable cells, like the zero padding beyond the edge of an image.

    Nodata inside a tile then has the same effect as the edge of a tile, which occurs in every training crop. Without
    gradients the features are changed in place.

    Args:
        x_BHWC: features, finite; not used by the caller afterwards.
        usable_BHW1: bool; None if all cells are usable.
    """
    if usable_BHW1 is None:
        return x_BHWC
    usable = usable_BHW1.to(x_BHWC.dtype)  # on a CPU four times as fast as torch.where
    return x_BHWC * usable if torch.is_grad_enabled() else x_BHWC.mul_(usable)


def fill_unusable(x_BHWC: Tensor, usable_BHW1: Tensor, stride: int) -> Tensor:
    """Return pixels (finite) with unusable ones replaced by the mean of their cell's usable ones; 0 without any.

    Zeros are the mean of the training pixels. They would pull partly usable cells at the edge of nodata towards it, and
    the map would have too much of one class there.
    """
    filled: Tensor = _Filling.apply(x_BHWC, usable_BHW1, stride)  # type: ignore[no-untyped-call]
    return filled


class _Filling(torch.autograd.Function):
    """`fill_unusable` with its own backward pass, which takes a quarter of autograd's time.

    With u = 1 for usable pixels, else 0, and M the mean over a cell divided by the cell's share of usable pixels::

        y = u · x + (1 - u) · M(u · x)        dx = u · (dy + M((1 - u) · dy))
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - torch has no public type for it
        x_BHWC: Tensor,
        usable_BHW1: Tensor,
        stride: int,
    ) -> Tensor:
        """Return the filled pixels."""
        usable = usable_BHW1.to(x_BHWC.dtype)
        share = functional.avg_pool2d(channels_first(usable), stride)
        share = torch.where(share > 0, share, 1)
        ctx.save_for_backward(usable, share)
        ctx.stride = stride
        kept = x_BHWC * usable
        found = torch.addcmul(_by_cell(kept, stride), _by_cell(1 - usable, stride), _cell_means(kept, share, stride))
        return found.reshape(x_BHWC.shape)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        """Return the gradient of the pixels."""
        usable, share = ctx.saved_tensors
        of_mean = _cell_means(gradient * (1 - usable), share, ctx.stride)
        found = _by_cell(usable, ctx.stride) * (_by_cell(gradient, ctx.stride) + of_mean)
        return found.reshape(gradient.shape), None, None


def _by_cell(x_BHWC: Tensor, stride: int) -> Tensor:
    """Return pixels as (B, H / stride, stride, W / stride, stride, C)."""
    images, height, width, channels = x_BHWC.shape
    return x_BHWC.reshape(images, height // stride, stride, width // stride, stride, channels)


def _cell_means(x_BHWC: Tensor, share_B1HW: Tensor, stride: int) -> Tensor:
    """Return the mean of each cell, divided by a share, to be broadcast against `_by_cell`."""
    means = channels_last(functional.avg_pool2d(channels_first(x_BHWC), stride) / share_B1HW)
    return means[:, :, None, :, None]


def upsampled(x_BHWC: Tensor, factor: int) -> Tensor:
    """Return features or logits upsampled by `factor`, bilinear between cell centres."""
    fine = functional.interpolate(channels_first(x_BHWC), scale_factor=factor, mode="bilinear", align_corners=False)
    return channels_last(fine)
