"""Exchange of features between the sensors, a step of the fusion (CMAF).

An exchange returns an update for each sensor's features at one stride. Cells of weight 0 contribute nothing, so a
missing sensor has no influence.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from clairemap.nets.layers import DepthwiseConv, Sensors, zero_unusable
from clairemap.nets.strips import in_strips


class WindowedCrossAttention(nn.Module):
    """Attention from one sensor's cells to the other sensor's cells in the same window, with relative position bias.

    Tiles must start at multiples of `Claire.align_px`, so that each cell has the same window in every tile. Windows
    are not shifted as in Swin (Liu et al. 2021): convolutions connect them.
    """

    def __init__(self, channels: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.window = window
        self.query = nn.Linear(channels, channels)
        self.key_value = nn.Linear(channels, 2 * channels)
        self.out = nn.Linear(channels, channels, bias=False)  # no bias: a masked window must add exactly 0
        self.position_bias = nn.Parameter(torch.zeros(heads, (2 * window - 1) ** 2))
        self.register_buffer("position", _relative_positions(window), persistent=False)
        self.position: Tensor

    def forward(self, query_BHWC: Tensor, context_BHWC: Tensor, context_weight_BHW1: Tensor) -> Tensor:
        """Return the update of the query sensor's features, (B, H, W, C).

        The log of the context weights is added to the scores. The update is 0 in windows without a usable context cell.
        """
        _, height, width, channels = query_BHWC.shape

        def of_rows(rows: slice) -> Tensor:
            return self._attend(query_BHWC[:, rows], context_BHWC[:, rows], context_weight_BHW1[:, rows])

        scores, query_key_value = self.heads * self.window**2, 3 * channels
        return in_strips(of_rows, height, max(scores, query_key_value) * width, query_BHWC.device, multiple=self.window)

    def _attend(self, query_BHWC: Tensor, context_BHWC: Tensor, context_weight_BHW1: Tensor) -> Tensor:
        query = self._windows(self.query(query_BHWC), self.heads)
        key, value = self._windows(self.key_value(context_BHWC), 2 * self.heads).chunk(2, dim=1)
        weight = self._windows(context_weight_BHW1, 1).transpose(-1, -2)  # (windows, 1, 1, cells)
        has_context = (weight > 0).any(dim=-1, keepdim=True)
        bias = self.position_bias[:, self.position] + _log_weight(weight, has_context)
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query.dtype))
        update: Tensor = self.out(self._cells(attended * has_context, query_BHWC.shape))
        return update

    def _windows(self, x_BHWC: Tensor, heads: int) -> Tensor:
        """Return (B * windows, heads, cells of a window, C / heads)."""
        b, h, w, c = x_BHWC.shape
        n = self.window
        split = x_BHWC.reshape(b, h // n, n, w // n, n, heads, c // heads)
        return split.permute(0, 1, 3, 5, 2, 4, 6).reshape(-1, heads, n * n, c // heads)

    def _cells(self, x: Tensor, shape: torch.Size) -> Tensor:
        """Return (B, H, W, C), the inverse of `_windows`."""
        b, h, w, c = shape
        n = self.window
        split = x.reshape(b, h // n, w // n, self.heads, n, n, c // self.heads)
        return split.permute(0, 1, 4, 2, 5, 3, 6).reshape(b, h, w, c)


def _relative_positions(window: int) -> Tensor:
    """Return the index of the offset between each pair of cells in a window, (cells, cells) int64."""
    steps = torch.arange(window)
    y, x = (axis.flatten() for axis in torch.meshgrid(steps, steps, indexing="ij"))
    dy = y[:, None] - y[None, :] + window - 1
    dx = x[:, None] - x[None, :] + window - 1
    return dy * (2 * window - 1) + dx


def _log_weight(weight: Tensor, has_context: Tensor) -> Tensor:
    """Return log(weight), -inf at weight 0; 0 in windows without a usable cell, to keep the softmax finite."""
    log_weight = torch.where(weight > 0, weight, 1).log()
    return torch.where((weight > 0) | ~has_context, log_weight, float("-inf"))


class WindowExchange(nn.Module):
    """Windowed cross attention in both directions: optical attends to SAR, SAR to optical."""

    def __init__(self, channels: int, heads: int, window: int) -> None:
        super().__init__()
        self.to_optical = WindowedCrossAttention(channels, heads, window)
        self.to_sar = WindowedCrossAttention(channels, heads, window)

    def forward(self, features: Sensors, weights: Sensors) -> Sensors:
        """Return the updates of the sensors' features."""
        return Sensors(
            self.to_optical(features.optical, features.sar, weights.sar),
            self.to_sar(features.sar, features.optical, weights.optical),
        )


class ConvModulation(nn.Module):
    """Convolutional alternative to attention: the context's values, scaled by a 7x7 convolution of both sensors."""

    kernel = 7

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.look = nn.Linear(2 * channels, channels)
        self.spread = DepthwiseConv(channels, self.kernel)
        self.value = nn.Linear(channels, channels)
        self.out = nn.Linear(channels, channels, bias=False)  # no bias: a missing sensor must add exactly 0

    def forward(
        self, both_BHWC: Tensor, usable_BHW1: Tensor, context_BHWC: Tensor, context_weight_BHW1: Tensor
    ) -> Tensor:
        """Return the update of the query sensor's features, (B, H, W, C); 0 where the context sensor has weight 0.

        Cells that are usable in neither sensor (`usable_BHW1`, bool) have no influence on others.
        """
        modulation = self.spread(zero_unusable(functional.gelu(self.look(both_BHWC)), usable_BHW1))
        update: Tensor = self.out(modulation * self.value(context_BHWC) * context_weight_BHW1)
        return update


class ConvExchange(nn.Module):
    """Convolutional modulation in both directions, for comparison with attention."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.to_optical = ConvModulation(channels)
        self.to_sar = ConvModulation(channels)

    def forward(self, features: Sensors, weights: Sensors) -> Sensors:
        """Return the updates of the sensors' features."""
        optical = features.optical * (weights.optical > 0)
        sar = features.sar * (weights.sar > 0)
        both = torch.cat([optical, sar], dim=-1)
        usable = (weights.optical > 0) | (weights.sar > 0)
        return Sensors(
            self.to_optical(both, usable, sar, weights.sar), self.to_sar(both, usable, optical, weights.optical)
        )
