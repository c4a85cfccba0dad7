"""One optimiser step: forward, loss, gradient, check, update."""

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from clairemap.artefacts.history import HistoryStep
from clairemap.errors import TrainingError
from clairemap.nets.rift import RiftLoss
from clairemap.settings import TrainingSettings
from clairemap.tiles.dataset import TrainingSample
from clairemap.training.batches import BandScales
from clairemap.training.distributed import Processes
from clairemap.training.objective import Objective
from clairemap.training.schedule import learning_rate


@dataclass(frozen=True)
class StepContext:
    """Everything that a step needs except its batch; `ddp_network` is the network, in DDP with several processes."""

    ddp_network: nn.Module
    objective: Objective
    optimiser: torch.optim.Optimizer
    scales: BandScales
    settings: TrainingSettings
    processes: Processes


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
    loss = accumulate_gradient(context.ddp_network, context.objective, batch, parts)
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
    network: nn.Module, objective: Objective, batch: TrainingSample, micro_batches: int
) -> RiftLoss:
    """Return the loss of the batch over all processes, and add its gradient to the network's parameters.

    Only one micro-batch's activations are in memory at a time. RIFT's Tversky term is a ratio of sums over the batch,
    so averaging the losses of micro-batches would give another loss. Therefore each micro-batch is computed twice:
    first without activations, for the output of the whole batch; then with activations, to propagate the gradient of
    this output. This costs one additional forward pass.

    Except for rounding, loss and gradient equal those of the undivided batch, because the network has no batch
    statistics and no dropout. Under DDP only the last micro-batch exchanges gradients.

    Args:
        network: Claire, in DDP with several processes.
        objective: sums over the processes itself.
        batch: this process's crops, normalised; a multiple of `micro_batches`.
        micro_batches: at least 1.
    """
    if micro_batches == 1:
        found = objective.loss(objective.outputs(network, batch), batch)
        torch.autograd.backward(found.total)
        return RiftLoss(*(value.detach() for value in found))
    samples = [TrainingSample(*layers) for layers in zip(*(layer.chunk(micro_batches) for layer in batch), strict=True)]
    with torch.no_grad():
        parts = [objective.outputs(network, sample) for sample in samples]
    outputs = [torch.cat(pieces).requires_grad_() for pieces in zip(*parts, strict=True)]
    found = objective.loss(outputs, batch)
    gradients = torch.autograd.grad(found.total, outputs)
    of_parts = zip(*(gradient.chunk(micro_batches) for gradient in gradients), strict=True)
    for number, (sample, its_gradients) in enumerate(zip(samples, of_parts, strict=True), start=1):
        with nullcontext() if number == micro_batches else _unsynchronised(network):
            torch.autograd.backward(objective.outputs(network, sample), its_gradients)
    return RiftLoss(*(value.detach() for value in found))


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
