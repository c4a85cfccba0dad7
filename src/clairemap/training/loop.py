"""Training, read from top to bottom: settings, data, network, optimiser, state, steps."""

import contextlib
import hashlib
import logging
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from clairemap.console import progress
from clairemap.errors import TimeBudgetError, TrainingError
from clairemap.nets.bundle import BundleCard
from clairemap.nets.claire import Claire
from clairemap.nets.halo import measured_halo_px
from clairemap.nets.rift import Rift
from clairemap.settings import TrainingSettings
from clairemap.tiles.dataset import CropDataset, Sample, TileDataset
from clairemap.tiles.sampling import CropSampler
from clairemap.training.batches import BandScales, batches
from clairemap.training.checkpoint import CheckpointFolder
from clairemap.training.deadline import Deadline
from clairemap.training.distributed import Processes
from clairemap.training.history import HistoryRow
from clairemap.training.job import Trained, TrainingJob
from clairemap.training.schedule import learning_rate
from clairemap.training.state import RunState
from clairemap.training.validation import validate

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Machinery:
    """All that a step needs besides its batch. `together` is the network, wrapped where several processes train it."""

    together: nn.Module
    loss: Rift
    optimiser: torch.optim.Optimizer
    scales: BandScales
    settings: TrainingSettings
    processes: Processes


def train(job: TrainingJob, processes: Processes, stamp: Mapping[str, str]) -> Trained:
    """Return the network with its best validated weights, or its last ones if no tile validates.

    The steps are the same however many processes share them, and however often training was stopped and went on
    from its checkpoints: on a CPU to the last bit, if the number of processes and threads stays the same.

    Args:
        job: what to train on and how.
        processes: this process among those that train.
        stamp: of the run, for the card.

    Raises:
        SettingsError: the batch can't be shared evenly by the processes.
        NoTrainingDataError: no training tile has labels.
        TrainingError: loss or gradient is not finite.
        TimeBudgetError: the time is up; the state is saved.
        MissingFileError, StoreError: pairs are missing, damaged, or not those of the statistics.
    """
    deadline = Deadline(job.minutes)
    settings = job.settings.training
    job.check(processes.count)

    source = job.source()
    crops = CropDataset(source, CropSampler(job.training_tiles, settings, job.settings.seed), settings)
    held_out = TileDataset(source, job.validation_tiles)
    if not len(held_out):
        log.warning("no validation tile has labels: the weights of the last step are kept")

    network = _network(job).to(processes.device)
    optimiser = _optimiser(network, settings)
    rift = Rift(job.settings.loss, job.statistics.class_px).to(processes.device)
    folder = CheckpointFolder(job.checkpoints / job.fingerprint)
    state = RunState(network, optimiser)
    _resume(state, folder, processes, settings)
    machinery = Machinery(processes.together(network), rift, optimiser, job.scales, settings, processes)

    steps = range(state.steps_done, settings.steps)
    numbers = (_crop_numbers(step, settings.batch_size, processes) for step in steps)
    with contextlib.closing(batches(crops, numbers, processes.reading_threads)) as feed:
        for step in _shown(steps, processes):
            state.history.append(_step(machinery, feed, step))
            is_last = state.steps_done == settings.steps
            if len(held_out) and (is_last or state.steps_done % settings.validate_every == 0):
                state.add_validation(validate(network, held_out, job.scales, processes))
            (is_late,) = processes.any([deadline.is_near() and not is_last])
            if processes.is_first and (is_last or is_late or state.steps_done % settings.checkpoint_every == 0):
                folder.save(state.steps_done, state.as_dict())
            if is_late:
                raise TimeBudgetError(
                    f"{job.minutes:g} minutes are nearly over after step {state.steps_done} of {settings.steps}; the "
                    f"state is saved in {folder.path}. Run the job again: it goes on from there."
                )
    if processes.is_first:
        folder.finish()
    _tell(state.history[steps.start :])
    return _trained(job, state, network, stamp)


def _network(job: TrainingJob) -> Claire:
    """Return the network with weights drawn from the settings' seed."""
    torch.manual_seed(int.from_bytes(hashlib.sha256(f"{job.settings.seed}:weights".encode()).digest()[:7]))
    optical, sar = len(job.statistics.optical.bands), len(job.statistics.sar.bands)
    return Claire(optical, sar, len(job.statistics.class_px), job.settings.network)


def _optimiser(network: Claire, settings: TrainingSettings) -> torch.optim.Optimizer:
    """Return AdamW; biases, norms and scales are not decayed."""
    matrices = [weight for weight in network.parameters() if weight.ndim > 1]
    vectors = [weight for weight in network.parameters() if weight.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate)


def _resume(state: RunState, folder: CheckpointFolder, processes: Processes, settings: TrainingSettings) -> None:
    """Take up the newest checkpoint of this run if there is one; all processes take the same."""
    name = processes.from_first(folder.newest() if processes.is_first else None)
    if name is None:
        return
    state.take_up(folder.load(name))
    if state.steps_done == settings.steps:
        log.info("nothing to train: %s holds this very run, finished; its model is written again", folder.path / name)
    else:
        log.info("going on after step %d of %d from %s", state.steps_done, settings.steps, folder.path / name)


def _crop_numbers(step: int, batch_size: int, processes: Processes) -> range:
    """Return the numbers of this process's crops of a step: every `count`-th of the batch."""
    return range(step * batch_size + processes.rank, (step + 1) * batch_size, processes.count)


def _shown(steps: range, processes: Processes) -> Iterable[int]:
    return progress(steps, "training steps", len(steps)) if processes.is_first else steps


def _step(machinery: Machinery, feed: Iterator[Sample], step: int) -> HistoryRow:
    """Do one optimiser step, counted from 0, and return what to report of it."""
    start = time.perf_counter()
    batch = next(feed)
    waited = time.perf_counter() - start
    device = machinery.processes.device
    batch = machinery.scales.normalise(batch.to(device))
    machinery.optimiser.zero_grad()
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        logits = machinery.together(batch.optical, batch.sar, batch.optical_weight, batch.sar_weight).logits
    loss = machinery.loss(logits, batch.target)
    loss.total.backward()
    norm = nn.utils.clip_grad_norm_(machinery.together.parameters(), machinery.settings.clip_norm)
    total, focal, tversky, grad_norm = torch.stack([*loss, norm]).tolist()
    _check_finite(step, total, grad_norm, machinery.processes)
    rate = learning_rate(step, machinery.settings)
    for group in machinery.optimiser.param_groups:
        group["lr"] = rate
    machinery.optimiser.step()
    seconds = time.perf_counter() - start
    return HistoryRow(step + 1, seconds, waited, total, focal, tversky, rate, grad_norm)


def _tell(rows: Sequence[HistoryRow]) -> None:
    if rows:
        seconds, waited = sum(row.seconds for row in rows), sum(row.wait_seconds for row in rows)
        log.info("%d steps in %.1f s, %.0f %% of them waiting for crops", len(rows), seconds, 100 * waited / seconds)


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


def _trained(job: TrainingJob, state: RunState, network: Claire, stamp: Mapping[str, str]) -> Trained:
    """Return the network with the weights to keep, and its card."""
    if state.best is not None:
        network.load_state_dict(state.best.weights)
    network.eval()
    halo_px, halo_sigma = measured_halo_px(network)
    card = BundleCard.model_validate(
        {
            "stamp": dict(stamp),
            "network": job.settings.network,
            "classes": job.settings.legend.classes,
            "optical_bands": job.scales.optical,
            "sar_bands": job.scales.sar,
            "sar_scale": job.statistics.sar_scale,
            "halo_px": halo_px,
            "halo_sigma": halo_sigma,
            "trained_on": {
                "scenes": job.statistics.scenes,
                "pixels": sum(job.statistics.class_px),
                "validation_tiles": len(job.validation_tiles),
            },
            "best_step": state.best.step if state.best else state.steps_done,
        }
    )
    return Trained(network, card, tuple(state.history))
