"""The exponential moving average of the weights."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def moving_average(network: nn.Module, decay: float) -> AveragedModel:
    """Return an average that starts with the network's weights after its first update.

    After n updates the weights are the mean of those n with weights in proportion to decay^(n - 1), …, decay, 1: an
    exponential moving average whose bias towards its start is corrected as in Kingma and Ba 2015 (section 3), so that
    it is of use after few steps too. Its state dict holds all that going on from it needs.

    Args:
        network: its weights are copied; call `update_parameters` after each of its optimiser steps.
        decay: between 0 and 1.
    """

    @torch.no_grad()
    def update(averages: Sequence[Tensor], weights: Sequence[Tensor], updates_before: Tensor | int) -> None:
        share = (1 - decay) / (1 - decay ** (int(updates_before) + 1))
        for average, weight in zip(averages, weights, strict=True):
            average.lerp_(weight, share)

    return AveragedModel(network, multi_avg_fn=update)
