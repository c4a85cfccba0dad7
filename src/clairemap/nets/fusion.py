"""Cross-modality attention fusion (CMAF): the features of two sensors at one stride become one.

First the sensors exchange what they see (`attention`), then a gate decides for each cell how much to rely on each.
The paper (arXiv 2509.11952) names these two steps and publishes no equations: those here are this project's own.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from clairemap.nets.attention import ConvExchange, ConvModulation, WindowExchange
from clairemap.nets.layers import CellNorm, DepthwiseConv, Sensors, cell_by_cell, only_seen
from clairemap.nets.sizes import Stage


def reach_cells(name: str, stage: Stage) -> int:
    """Return how far a cell of the fused features sees, in cells beyond its attention window."""
    gate_and_mixer = 2
    return gate_and_mixer + (ConvModulation.kernel // 2 if name == "conv" and stage.window else 0)


class ReliabilityGate(nn.Module):
    """Decides for each cell how much the map rests on each sensor."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // 4, 8)
        self.look = nn.Linear(2 * channels + 2, hidden)
        self.spread = DepthwiseConv(hidden, kernel=3)
        self.decide = nn.Linear(hidden, 2)

    def forward(self, features: Sensors, weights: Sensors) -> Sensors:
        """Return shares (B, H, W, 1) that sum to 1: softmax of two logits with the log of the weights added.

        A sensor of weight 0 has share 0 exactly, and its features have no influence on the logits. Where neither
        sensor has weight both shares are 0.
        """
        hidden = self.spread(cell_by_cell(self._looked, *features, *weights, widest=2))
        logits = self.decide(functional.gelu(hidden)).float()
        weight = torch.cat(weights, dim=-1).float()
        valid = weight > 0
        anything = valid.any(dim=-1, keepdim=True)
        log_weight = torch.where(valid, weight, 1).log()
        scores = torch.where(valid | ~anything, logits + log_weight, float("-inf"))
        share = scores.softmax(dim=-1) * anything
        return Sensors(share[..., :1], share[..., 1:])

    def _looked(self, optical: Tensor, sar: Tensor, optical_weight: Tensor, sar_weight: Tensor) -> Tensor:
        seen = optical * (optical_weight > 0), sar * (sar_weight > 0)
        weights = (weight.to(optical.dtype) for weight in (optical_weight, sar_weight))
        looked = functional.gelu(self.look(torch.cat([*seen, *weights], dim=-1)))
        return only_seen(looked, (optical_weight > 0) | (sar_weight > 0))

    def of_one(self, weight: Tensor) -> Tensor:
        """Return the share of a sensor where the other has no weight anywhere."""
        return (weight > 0).to(weight.dtype)


class ValiditySum(nn.Module):
    """The plain sum of what is valid, for comparison: shares are the weights themselves."""

    def forward(self, features: Sensors, weights: Sensors) -> Sensors:  # noqa: ARG002 - the gate's interface
        """Return the weights (B, H, W, 1)."""
        return weights

    def of_one(self, weight: Tensor) -> Tensor:
        """Return the weight."""
        return weight


class Mixer(nn.Module):
    """Residual mixing of the fused features: linear, depthwise 3x3, linear."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Linear(channels, channels)
        self.spread = DepthwiseConv(channels, kernel=3)
        self.last = nn.Linear(channels, channels)

    def forward(self, x_BHWC: Tensor, seen_BHW1: Tensor) -> Tensor:
        """Return features of the same shape; cells that are not seen (bool) have no influence on others."""
        spread = self.spread(cell_by_cell(self._begun, x_BHWC, seen_BHW1))
        return cell_by_cell(lambda x, mixed: x + self.last(mixed), x_BHWC, spread)

    def _begun(self, x: Tensor, seen: Tensor) -> Tensor:
        return only_seen(functional.gelu(self.first(x)), seen)


class Fusion(nn.Module):
    """CMAF at one stride, or one of the simpler fusions that it is compared with."""

    def __init__(self, stage: Stage, exchange: nn.Module | None, gate: ReliabilityGate | ValiditySum) -> None:
        super().__init__()
        # The encoders' scales drift apart; only on one scale do shares say what the sum rests on.
        self.norm_optical = CellNorm(stage.width, eps=1e-6)
        self.norm_sar = CellNorm(stage.width, eps=1e-6)
        self.exchange = exchange
        self.gate = gate
        self.mixer = Mixer(stage.width)

    def forward(self, features: Sensors, weights: Sensors) -> tuple[Tensor, Sensors]:
        """Return the fused features (B, H, W, C) and each sensor's share (B, H, W, 1)."""
        own = Sensors(self.norm_optical(features.optical), self.norm_sar(features.sar))
        if self.exchange is not None:
            told = self.exchange(own, weights)
            own = Sensors(own.optical + told.optical, own.sar + told.sar)
        share = self.gate(own, weights)
        seen = (weights.optical > 0) | (weights.sar > 0)
        return self.mixer(cell_by_cell(_weighted, *own, *share), seen), share

    def of_one(self, sensor: int, features: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the fused features and the share of a sensor (0 optical, 1 SAR) where the other has no weight.

        Equal to what `forward` returns, without the other's features: they tell nothing and have no share.
        """
        own = (self.norm_optical, self.norm_sar)[sensor](features)
        share = self.gate.of_one(weight)
        return self.mixer(share.to(own.dtype) * own, weight > 0), share


def _weighted(optical: Tensor, sar: Tensor, optical_share: Tensor, sar_share: Tensor) -> Tensor:
    return optical_share.to(optical.dtype) * optical + sar_share.to(sar.dtype) * sar


def fusion(name: str, stage: Stage) -> Fusion:
    """Return the fusion of the settings' name: window, conv, gate or sum.

    Raises:
        ValueError: there is no fusion of that name.
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
    raise ValueError(f"fusion {name!r} is none of window, conv, gate, sum")
