"""Loss of the reliability gate: the share of a sensor must be small where the sensor is known to mislead."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from clairemap.nets.rift import sum_over_processes
from clairemap.tiles.dataset import TrainingSample

SMALLEST_SHARE = 1e-4
"""Added to the shares: limits the gradient of a share near 0."""


def gate_loss(shares: Sequence[Tensor], batch: TrainingSample) -> Tensor:
    """Return the mean of -log(share of the other sensor) over cells in which one sensor misleads, a scalar.

    A cell counts if both sensors are usable in it, and exactly one misleads in more than half of it. All cells of all
    strides and processes have equal weight; 0 without such cells.

    Args:
        shares: share of optical at each stride, (B, 1, H / stride, W / stride).
        batch: the crops, with `misleading`.
    """
    total, count = shares[0].new_zeros(()), shares[0].new_zeros(())
    weights = torch.cat([batch.optical_weight, batch.sar_weight], dim=1)
    for share in shares:
        stride = batch.target.shape[-1] // share.shape[-1]
        both = (functional.avg_pool2d(weights, stride) > 0).all(dim=1)
        optical_misleads, sar_misleads = (functional.avg_pool2d(batch.misleading.float(), stride) > 0.5).unbind(dim=1)
        decided = both & (optical_misleads ^ sar_misleads)
        of_other = torch.where(optical_misleads, 1 - share[:, 0], share[:, 0])
        total = total - ((of_other + SMALLEST_SHARE).log() * decided).sum()
        count = count + decided.sum()
    total, count = sum_over_processes(torch.stack([total.double(), count.double()]))
    mean: Tensor = total / count.clamp(min=1)
    return mean.to(shares[0].dtype)
