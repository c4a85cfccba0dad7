"""The exponential moving average of the weights."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def moving_average(network: nn.Module, decay: float) -> AveragedModel:
    """Return an exponential moving average of a network's weights, with bias correction.

    After n updates it is the mean of the n states with weights proportional to decay^(n - 1), …, decay, 1 (Kingma and
    Ba 2015, section 3), so it is usable after a few steps.

    Args:
        network: its weights are copied; call `update_parameters` after each optimiser step.
        decay: between 0 and 1.
    """

    @torch.no_grad()
    def update(averages: Sequence[Tensor], weights: Sequence[Tensor], updates_before: Tensor | int) -> None:
        share = (1 - decay) / (1 - decay ** (int(updates_before) + 1))
        for average, weight in zip(averages, weights, strict=True):
            average.lerp_(weight, share)

    return AveragedModel(network, multi_avg_fn=update)
