"""One optimiser step: forward, loss, gradient, check, update."""

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from clairemap.artefacts.history import HistoryStep
from clairemap.classes import IGNORE_INDEX
from clairemap.errors import TrainingError
from clairemap.nets.claire import ClaireOutput
from clairemap.nets.rift import Rift, RiftLoss
from clairemap.settings import TrainingSettings
from clairemap.tiles.dataset import TrainingSample
from clairemap.training.batches import BandScales
from clairemap.training.distributed import Processes
from clairemap.training.schedule import learning_rate


@dataclass(frozen=True)
class StepContext:
    """Everything that a step needs except its batch.

    `ddp_network` is the network, in DDP with several processes; `alone_weight` see `mean_loss`.
    """

    ddp_network: nn.Module
    loss: Rift
    optimiser: torch.optim.Optimizer
    scales: BandScales
    settings: TrainingSettings
    processes: Processes
    alone_weight: float = 0.0


def train_step(context: StepContext, feed: Iterator[TrainingSample], step: int) -> HistoryStep:
    """Do one optimiser step (0-based number) and return its row of the history.

    Raises:
        TrainingError: loss or gradient is not finite in a process; no process has changed its weights.
    """
    start = time.perf_counter()
    batch = next(feed)
    waited = time.perf_counter() - start
    batch = context.scales.normalise(batch.to(context.processes.device))
    context.optimiser.zero_grad()
    parts = context.settings.batch_parts
    loss = accumulate_gradient(context.ddp_network, context.loss, batch, parts, context.alone_weight)
    norm = nn.utils.clip_grad_norm_(context.ddp_network.parameters(), context.settings.clip_norm)
    total, focal, tversky, grad_norm = torch.stack([*loss, norm]).tolist()
    _check_finite(step, total, grad_norm, context.processes)
    rate = learning_rate(step, context.settings)
    for group in context.optimiser.param_groups:
        group["lr"] = rate
    context.optimiser.step()
    seconds = time.perf_counter() - start
    return HistoryStep(step + 1, seconds, waited, total, focal, tversky, rate, grad_norm)


def accumulate_gradient(
    network: nn.Module, loss: Rift, batch: TrainingSample, micro_batches: int, alone_weight: float = 0.0
) -> RiftLoss:
    """Return the loss of the batch over all processes, and add its gradient to the network's parameters.

    Only one micro-batch's activations are in memory at a time. RIFT's Tversky term is a ratio of sums over the batch,
    so averaging the losses of micro-batches would give another loss. Therefore each micro-batch is computed twice:
    first without activations, for the logits of the whole batch; then with activations, to propagate the gradient of
    these logits. This costs one additional forward pass.

    Except for rounding, loss and gradient equal those of the undivided batch, because the network has no batch
    statistics and no dropout. Under DDP only the last micro-batch exchanges gradients.

    Args:
        network: Claire, in DDP with several processes.
        loss: sums over the processes itself.
        batch: this process's crops, normalised; a multiple of `micro_batches`.
        micro_batches: at least 1.
        alone_weight: see `mean_loss`.
    """
    alone = alone_weight > 0
    if micro_batches == 1:
        found = mean_loss(loss, _logits(network, batch, with_alone=alone), batch, alone_weight)
        torch.autograd.backward(found.total)
        return RiftLoss(*(value.detach() for value in found))
    samples = [TrainingSample(*layers) for layers in zip(*(layer.chunk(micro_batches) for layer in batch), strict=True)]
    with torch.no_grad():
        logits = torch.cat([_logits(network, sample, with_alone=alone) for sample in samples], dim=1)
    found = mean_loss(loss, logits.requires_grad_(), batch, alone_weight)
    (gradient,) = torch.autograd.grad(found.total, logits)
    parts = zip(samples, gradient.chunk(micro_batches, dim=1), strict=True)
    for number, (sample, its_gradient) in enumerate(parts, start=1):
        with nullcontext() if number == micro_batches else _unsynchronised(network):
            torch.autograd.backward(_logits(network, sample, with_alone=alone), its_gradient)
    return RiftLoss(*(value.detach() for value in found))


def mean_loss(loss: Rift, logits: Tensor, batch: TrainingSample, alone_weight: float) -> RiftLoss:
    """Return the mean of the losses of fused, optical and SAR, each sensor's with `alone_weight` against 1 for fused.

    A sensor's loss ignores pixels that the sensor does not see.

    Args:
        loss: RIFT.
        logits: (1, B, K, H, W) of fused, or (3, B, K, H, W) of fused, optical alone and SAR alone.
        batch: the crops.
        alone_weight: at least 0.
    """
    fused: RiftLoss = loss(logits[0], batch.target)
    if len(logits) == 1:
        return fused
    weights = (batch.optical_weight, batch.sar_weight)
    targets = (torch.where(weight[:, 0] > 0, batch.target, IGNORE_INDEX) for weight in weights)
    optical, sar = (loss(x, target) for x, target in zip(logits[1:], targets, strict=True))
    return RiftLoss(
        *(
            (of_all + alone_weight * (a + b)) / (1 + 2 * alone_weight)
            for of_all, a, b in zip(fused, optical, sar, strict=True)
        )
    )


def _logits(network: nn.Module, batch: TrainingSample, *, with_alone: bool) -> Tensor:
    """Return the logits of fused, and of each sensor alone if asked for: (1 or 3, B, K, H, W).

    Computed under bfloat16 autocast on a GPU.
    """
    device = batch.optical.device.type
    images = (batch.optical, batch.sar, batch.optical_weight, batch.sar_weight)
    with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
        if not with_alone:
            fused: Tensor = network(*images).logits
            return fused[None]
        found: ClaireOutput = network(*images, with_alone=True)
    return torch.stack([found.logits, *found.alone])


def _unsynchronised(network: nn.Module) -> AbstractContextManager[None]:
    """Return a context in which DDP accumulates gradients without exchanging them."""
    return network.no_sync() if isinstance(network, DistributedDataParallel) else nullcontext()


def _check_finite(step: int, loss: float, grad_norm: float, processes: Processes) -> None:
    """Check that loss and gradient are finite in all processes.

    Raises:
        TrainingError: they are not in at least one; raised in all processes.
    """
    (broken,) = processes.any([not (math.isfinite(loss) and math.isfinite(grad_norm))])
    if broken:
        raise TrainingError(
            f"step {step + 1}: the loss is {loss:g} and the gradient norm is {grad_norm:g}; both must be finite in all "
            "processes; lower training.learning_rate, or check the training scenes for invalid values"
        )
