"""The training run: settings, data, network, optimiser, state, steps, calibration."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import replace

import numpy as np

from clairemap.artefacts.history import HistoryStep
from clairemap.artefacts.store_attributes import PairAttributes
from clairemap.classes import IGNORE_INDEX
from clairemap.console import progress
from clairemap.errors import TimeBudgetError
from clairemap.nets.claire import Claire
from clairemap.nets.rift import Rift
from clairemap.tiles.dataset import CropDataset, TileDataset, TileSource
from clairemap.tiles.sampling import CropSampler
from clairemap.training.average import moving_average
from clairemap.training.batches import batches
from clairemap.training.calibration import NOT_FITTED, Temperature, calibrate
from clairemap.training.checkpoint import CheckpointFolder
from clairemap.training.curves import Draw, tensorboard_curves
from clairemap.training.deadline import Deadline
from clairemap.training.distributed import Processes
from clairemap.training.job import TrainingJob, TrainingResult
from clairemap.training.model import model_card, new_network, new_optimiser
from clairemap.training.objective import Objective
from clairemap.training.state import RunState
from clairemap.training.step import StepContext, train_step
from clairemap.training.validation import validate

log = logging.getLogger(__name__)


def train(job: TrainingJob, processes: Processes, stamp: Mapping[str, str]) -> TrainingResult | None:
    """Return the network with the best validated weights, or the last ones without validation tiles.

    The first process gets the result; the others get None.

    Except for rounding, the result does not depend on the number of processes. On a CPU a resumed run gives the same
    bits if the numbers of processes and threads are unchanged.

    Args:
        job: data and settings.
        processes: the training processes.
        stamp: provenance of the run, for the card.

    Raises:
        SettingsError: the batch cannot be divided evenly among the processes, or TensorBoard is not installed.
        NoTrainingDataError: no training tile has labels.
        TrainingError: loss or gradient is not finite.
        TimeBudgetError: the time limit is reached; the state is saved.
        MissingFileError, StoreError: pairs are missing or damaged, or do not match the statistics.
        MissingFileError, UnreadableFileError, BundleError: a file of initial weights is missing, unreadable, or does
            not match the network.
    """
    deadline = Deadline(job.minutes)
    settings = job.settings.training
    job.check(processes.count)

    source = job.source()
    _advise_normalisation(job, source)
    sampler = CropSampler(job.training_tiles, settings, job.settings.augmentation, job.settings.seed)
    crops = CropDataset(source, sampler, settings, job.statistics)
    held_out = _validation_tiles(job, source)

    network = new_network(job).to(processes.device)
    optimiser = new_optimiser(network, settings)
    rift = Rift(job.settings.loss, job.statistics.class_px).to(processes.device)
    average = moving_average(network, settings.ema_decay) if settings.ema_decay is not None else None
    folder = CheckpointFolder(job.checkpoints / job.fingerprint)
    state = RunState(settings, network, optimiser, average)
    _resume(state, folder, processes)
    objective = Objective(rift, *job.loss_weights)
    context = StepContext(processes.ddp_network(network), objective, optimiser, job.scales, settings, processes)

    steps = range(state.steps_done, state.steps_done if state.is_finished else settings.steps)
    numbers = (_crop_numbers(step, settings.batch_size, processes) for step in steps)
    with closing(batches(crops, numbers, processes.reading_threads)) as feed, _curves(job, steps, processes) as draw:
        for step in _with_progress(steps, state, processes):
            state.add_step(train_step(context, feed, step))
            is_last = state.steps_done == settings.steps
            if len(held_out) and (is_last or state.steps_done % settings.validate_every == 0):
                state.add_validation(validate(state.kept, held_out, job.scales, processes))
            draw(state.history[-1])
            (is_late,) = processes.any([deadline.is_near() and not state.is_finished])
            if state.is_finished or is_late or state.steps_done % settings.checkpoint_every == 0:
                _save(state, folder, processes)
            if is_late:
                raise TimeBudgetError(
                    f"time limit of {job.minutes:g} minutes nearly reached after step {state.steps_done} of "
                    f"{settings.steps}; the state is saved in {folder.path}; run again to resume"
                )
    if processes.is_first:
        folder.finish()
    _log_duration(state.history[steps.start :], state)
    return _finished_training(job, state, held_out, processes, stamp)


def _advise_normalisation(job: TrainingJob, source: TileSource) -> None:
    """Log the settings for images that were stretched one by one, if 8-bit optical images are normalised all alike.

    SAR does not tell: its values are stored as floating-point numbers.
    """
    if job.settings.training.normalisation == "scene" or job.start_card is not None:
        return
    in_bytes = [
        scene
        for scene, store in source.stores.items()
        if "optical" in store.attributes_as(PairAttributes).sources and store.array("optical").dtype == np.uint8
    ]
    if in_bytes and job.settings.network.sensors != "sar":
        log.warning(
            "optical images of 8 bits (%s), normalised by the same numbers in all scenes. If each image was stretched "
            "for display by itself, set training: {normalisation: scene, rare_class_share: 0}; see docs/training.md",
            in_bytes[0] if len(in_bytes) == 1 else f"{len(in_bytes)} scenes",
        )


def _validation_tiles(job: TrainingJob, source: TileSource) -> TileDataset:
    """Return the validation tiles; none, with a warning, if no pixel of them can be scored.

    With a single sensor, all labelled pixels may be under clouds.
    """
    tiles = TileDataset(source, job.validation_tiles)
    if any((tile.target != IGNORE_INDEX).any() for tile in map(tiles.__getitem__, range(len(tiles)))):
        return tiles
    if not job.validation_tiles:
        log.warning("no labelled validation tiles: the last step's weights are kept")
        return tiles
    log.warning(
        "no validation tile has labelled pixels where network.sensors (%s) is usable: the last step's weights are kept",
        job.settings.network.sensors,
    )
    return TileDataset(source, ())


def _save(state: RunState, folder: CheckpointFolder, processes: Processes) -> None:
    """Save the state in the first process; others wait, since torchrun kills it if they exit with an error."""
    if processes.is_first:
        folder.save(state.steps_done, state.state_dict())
    processes.wait()


def _resume(state: RunState, folder: CheckpointFolder, processes: Processes) -> None:
    """Load the newest checkpoint of this run, if there is one; all processes load the same."""
    name = processes.broadcast_from_first(folder.newest() if processes.is_first else None)
    if name is None:
        return
    state.load_state_dict(folder.load(name))
    if state.is_finished:
        log.info("already trained (%s); rewriting the model files", folder.path / name)
    else:
        log.info("resuming after step %d of %d from %s", state.steps_done, state.settings.steps, folder.path / name)


def _crop_numbers(step: int, batch_size: int, processes: Processes) -> range:
    """Return the numbers of this process's crops of a step: every `count`-th of the batch."""
    return range(step * batch_size + processes.rank, (step + 1) * batch_size, processes.count)


def _with_progress(steps: range, state: RunState, processes: Processes) -> Iterator[int]:
    """Yield the steps until the run is finished; the first process shows progress."""
    left = _until_finished(steps, state)
    return progress(left, "training steps", len(steps)) if processes.is_first else left


def _until_finished(steps: range, state: RunState) -> Iterator[int]:
    for step in steps:
        yield step
        if state.is_finished:
            return


def _curves(job: TrainingJob, steps: range, processes: Processes) -> AbstractContextManager[Draw]:
    """Return the curves of this run, in their own folder; only the first process draws."""
    if job.curves is None or not processes.is_first or not steps:
        return tensorboard_curves(None, 0)
    return tensorboard_curves(job.curves / job.fingerprint, steps.start)


def _log_duration(rows: Sequence[HistoryStep], state: RunState) -> None:
    """Log the duration of the steps since this start, and early stopping."""
    if not rows:
        return
    seconds, waited = sum(row.seconds for row in rows), sum(row.wait_seconds for row in rows)
    log.info("%d steps in %.1f s, %.0f %% of them waiting for crops", len(rows), seconds, 100 * waited / seconds)
    if state.best is not None and state.stopped_early:
        log.info(
            "early stopping after step %d of %d: %d validations without improvement over step %d",
            *(state.steps_done, state.settings.steps, state.settings.patience, state.best.step),
        )


def _finished_training(
    job: TrainingJob, state: RunState, held_out: TileDataset, processes: Processes, stamp: Mapping[str, str]
) -> TrainingResult | None:
    """Return the network with the weights to keep, its card and the history in the first process, None in the others.

    All processes must call this: they fit the temperature together. Only the first measures the halo.
    """
    network, step, history = state.kept, state.steps_done, list(state.history)
    if state.best is not None:
        network.load_state_dict(state.best.weights)
        step = state.best.step
    temperature = _temperature(job, network, held_out, processes)
    if not processes.is_first:
        return None
    if temperature.fit is not None:
        history[step - 1] = replace(history[step - 1], val_ece_calibrated=temperature.fit.ece_after)
    network.eval()
    return TrainingResult(network, model_card(job, network, step, len(held_out), temperature, stamp), tuple(history))


def _temperature(job: TrainingJob, network: Claire, held_out: TileDataset, processes: Processes) -> Temperature:
    """Return the temperature for the weights to keep; not fitted if `training.calibrate` is false."""
    if not job.settings.training.calibrate:
        return NOT_FITTED
    trained_on = {tile.scene for tile in job.training_tiles}
    return calibrate(network, held_out, trained_on, job.scales, processes)
