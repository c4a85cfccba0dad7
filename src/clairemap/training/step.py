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
from clairemap.errors import TrainingError
from clairemap.nets.rift import Rift, RiftLoss
from clairemap.settings import TrainingSettings
from clairemap.tiles.dataset import Sample
from clairemap.training.batches import BandScales
from clairemap.training.distributed import Processes
from clairemap.training.schedule import learning_rate


@dataclass(frozen=True)
class Machinery:
    """All that a step needs besides its batch. `together` is the network, wrapped where several processes train it."""

    together: nn.Module
    loss: Rift
    optimiser: torch.optim.Optimizer
    scales: BandScales
    settings: TrainingSettings
    processes: Processes


def do_step(machinery: Machinery, feed: Iterator[Sample], step: int) -> HistoryStep:
    """Do one optimiser step, counted from 0, and return what to report of it.

    Raises:
        TrainingError: loss or gradient is not finite in any process; no process has changed its weights then.
    """
    start = time.perf_counter()
    batch = next(feed)
    waited = time.perf_counter() - start
    batch = machinery.scales.normalise(batch.to(machinery.processes.device))
    machinery.optimiser.zero_grad()
    loss = add_gradient(machinery.together, machinery.loss, batch, machinery.settings.batch_parts)
    norm = nn.utils.clip_grad_norm_(machinery.together.parameters(), machinery.settings.clip_norm)
    total, focal, tversky, grad_norm = torch.stack([*loss, norm]).tolist()
    _check_finite(step, total, grad_norm, machinery.processes)
    rate = learning_rate(step, machinery.settings)
    for group in machinery.optimiser.param_groups:
        group["lr"] = rate
    machinery.optimiser.step()
    seconds = time.perf_counter() - start
    return HistoryStep(step + 1, seconds, waited, total, focal, tversky, rate, grad_norm)


def add_gradient(network: nn.Module, loss: Rift, batch: Sample, parts: int) -> RiftLoss:
    """Return the loss of the batch over all processes, and add its gradient to the network's parameters.

    With several parts the activations of only one are in memory at a time; logits and their gradient are there of the
    whole batch. RIFT's Tversky part is a ratio of sums over the batch, so that the mean of the parts' losses would be
    another loss. Therefore each part is computed twice: first without activations, for the logits; the loss of all
    logits gives the gradient of each, which is carried on through the parts one by one. Costs one forward pass more.

    What holds: loss and gradient are those of the undivided batch but for rounding, since a crop's logits depend on
    no other crop (no batch statistics) and are the same both times (no dropout). Under DDP only the last part's
    backward pass exchanges gradients.

    Args:
        network: Claire, in DDP where several processes train it.
        loss: over the logits of this process's crops; sums over processes by itself.
        batch: this process's crops, normalised; a multiple of `parts`.
        parts: at least 1.
    """
    if parts == 1:
        found = loss(_logits(network, batch), batch.target)
        found.total.backward()
        return RiftLoss(*(value.detach() for value in found))
    pieces = [Sample(*layers) for layers in zip(*(layer.chunk(parts) for layer in batch), strict=True)]
    with torch.no_grad():
        logits = torch.cat([_logits(network, piece) for piece in pieces])
    found = loss(logits.requires_grad_(), batch.target)
    (gradient,) = torch.autograd.grad(found.total, logits)
    for number, (piece, its_gradient) in enumerate(zip(pieces, gradient.chunk(parts), strict=True), start=1):
        with nullcontext() if number == parts else _unsynchronised(network):
            torch.autograd.backward(_logits(network, piece), its_gradient)
    return RiftLoss(*(value.detach() for value in found))


def _logits(network: nn.Module, batch: Sample) -> Tensor:
    """Return the logits (B, K, H, W); in bfloat16 where the GPU's matrix products are."""
    device = batch.optical.device.type
    with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
        logits: Tensor = network(batch.optical, batch.sar, batch.optical_weight, batch.sar_weight).logits
    return logits


def _unsynchronised(network: nn.Module) -> AbstractContextManager[None]:
    """Return a context in which DDP adds up gradients without exchanging them."""
    return network.no_sync() if isinstance(network, DistributedDataParallel) else nullcontext()


def _check_finite(step: int, loss: float, grad_norm: float, processes: Processes) -> None:
    """Stop all processes before weights are spoilt if loss or gradient is not finite in any.

    Raises:
        TrainingError: so it is.
    """
    (broken,) = processes.any([not (math.isfinite(loss) and math.isfinite(grad_norm))])
    if broken:
        raise TrainingError(
            f"step {step + 1}: the loss is {loss:g} and the gradient's norm {grad_norm:g}, both must be finite. "
            "Lower training.learning_rate, or look for absurd values in the training scenes."
        )
