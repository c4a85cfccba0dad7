"""Cross-modality attention fusion (CMAF) of the features of two sensors at one stride.

A gate weighs the sensors in each cell. They exchange features (`attention`); each sensor's features are updated in
proportion to the other's share, so a sensor that misleads does not spoil the other. The paper (arXiv 2509.11952) names
these steps without equations; those here are this project's own.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from clairemap.nets.attention import ConvExchange, ConvModulation, WindowExchange
from clairemap.nets.layers import CellNorm, DepthwiseConv, Sensors, in_cell_strips, zero_unusable
from clairemap.nets.sizes import Stage


def reach_cells(name: str, stage: Stage) -> int:
    """Return the reach of the fused features in cells, beyond the attention window."""
    gate_and_mixer = 2
    return gate_and_mixer + (ConvModulation.kernel // 2 if name == "conv" and stage.window else 0)


class ReliabilityGate(nn.Module):
    """Computes the share of each sensor in each cell."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // 4, 8)
        self.look = nn.Linear(2 * channels + 2, hidden)
        self.spread = DepthwiseConv(hidden, kernel=3)
        self.decide = nn.Linear(hidden, 2)

    def forward(self, features: Sensors, weights: Sensors) -> Sensors:
        """Return shares (B, H, W, 1) that sum to 1: the softmax of two logits plus the log of the weights.

        A sensor of weight 0 has share exactly 0, and its features have no influence; both shares are 0 if both weights
        are 0.
        """
        hidden = self.spread(in_cell_strips(self._gate_input, *features, *weights, expansion=2))
        logits = self.decide(functional.gelu(hidden)).float()
        weight = torch.cat(weights, dim=-1).float()
        usable = weight > 0
        anything = usable.any(dim=-1, keepdim=True)
        log_weight = torch.where(usable, weight, 1).log()
        scores = torch.where(usable | ~anything, logits + log_weight, float("-inf"))
        share = scores.softmax(dim=-1) * anything
        return Sensors(share[..., :1], share[..., 1:])

    def _gate_input(self, optical: Tensor, sar: Tensor, optical_weight: Tensor, sar_weight: Tensor) -> Tensor:
        usable = optical * (optical_weight > 0), sar * (sar_weight > 0)
        weights = (weight.to(optical.dtype) for weight in (optical_weight, sar_weight))
        hidden = functional.gelu(self.look(torch.cat([*usable, *weights], dim=-1)))
        return zero_unusable(hidden, (optical_weight > 0) | (sar_weight > 0))

    def single_sensor(self, weight: Tensor) -> Tensor:
        """Return the share of a sensor if the other has weight 0 everywhere."""
        return (weight > 0).to(weight.dtype)


class ValiditySum(nn.Module):
    """Weighted sum without a gate, for comparison: the shares are the weights."""

    def forward(self, features: Sensors, weights: Sensors) -> Sensors:  # noqa: ARG002 - the gate's interface
        """Return the weights (B, H, W, 1)."""
        return weights

    def single_sensor(self, weight: Tensor) -> Tensor:
        """Return the weight."""
        return weight


class Mixer(nn.Module):
    """Residual mixing of the fused features: linear, depthwise 3x3, linear."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Linear(channels, channels)
        self.spread = DepthwiseConv(channels, kernel=3)
        self.last = nn.Linear(channels, channels)

    def forward(self, x_BHWC: Tensor, usable_BHW1: Tensor) -> Tensor:
        """Return features of the same shape; unusable cells (`usable_BHW1` false) have no influence on others."""
        spread = self.spread(in_cell_strips(self._first_layer, x_BHWC, usable_BHW1))
        return in_cell_strips(lambda x, mixed: x + self.last(mixed), x_BHWC, spread)

    def _first_layer(self, x: Tensor, usable: Tensor) -> Tensor:
        return zero_unusable(functional.gelu(self.first(x)), usable)


class Fusion(nn.Module):
    """CMAF at one stride, or a simpler fusion for comparison."""

    def __init__(self, stage: Stage, exchange: nn.Module | None, gate: ReliabilityGate | ValiditySum) -> None:
        super().__init__()
        # The encoders' scales drift apart; shares are only meaningful if both features have the same scale.
        self.norm_optical = CellNorm(stage.width, eps=1e-6)
        self.norm_sar = CellNorm(stage.width, eps=1e-6)
        self.exchange = exchange
        self.gate = gate
        self.mixer = Mixer(stage.width)

    def forward(self, features: Sensors, weights: Sensors) -> tuple[Tensor, Sensors]:
        """Return the fused features (B, H, W, C) and each sensor's share (B, H, W, 1)."""
        own = Sensors(self.norm_optical(features.optical), self.norm_sar(features.sar))
        share = self.gate(own, weights)
        if self.exchange is not None:
            update = self.exchange(own, weights)
            optical = _updated(own.optical, update.optical, share.sar)
            own = Sensors(optical, _updated(own.sar, update.sar, share.optical))
        usable = (weights.optical > 0) | (weights.sar > 0)
        return self.mixer(in_cell_strips(_weighted_sum, *own, *share), usable), share

    def single_sensor(self, sensor: int, features: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the result of `forward` for one sensor (0 optical, 1 SAR) if the other has weight 0 everywhere."""
        own = (self.norm_optical, self.norm_sar)[sensor](features)
        share = self.gate.single_sensor(weight)
        return self.mixer(share.to(own.dtype) * own, weight > 0), share


def _updated(own: Tensor, update: Tensor, share_of_other: Tensor) -> Tensor:
    return own + share_of_other.to(update.dtype) * update


def _weighted_sum(optical: Tensor, sar: Tensor, optical_share: Tensor, sar_share: Tensor) -> Tensor:
    return optical_share.to(optical.dtype) * optical + sar_share.to(sar.dtype) * sar


def fusion(name: str, stage: Stage) -> Fusion:
    """Return the fusion for its name in the settings: window, conv, gate or sum.

    Raises:
        ValueError: unknown name.
    """
    exchanging = stage.window is not None
    if name == "window":
        exchange = WindowExchange(stage.width, stage.heads, stage.window) if stage.window else None
        return Fusion(stage, exchange, ReliabilityGate(stage.width))
    if name == "conv":
        return Fusion(stage, ConvExchange(stage.width) if exchanging else None, ReliabilityGate(stage.width))
    if name == "gate":
        return Fusion(stage, None, ReliabilityGate(stage.width))
    if name == "sum":
        return Fusion(stage, None, ValiditySum())
    raise ValueError(f"unknown fusion {name!r}: use window, conv, gate or sum")
