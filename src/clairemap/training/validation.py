"""Scores of the network on held-out tiles, from one confusion matrix over all tiles and processes."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clairemap.metrics.calibration import expected_calibration_error
from clairemap.metrics.scores import scores
from clairemap.metrics.tally import Tally, tally
from clairemap.nets.claire import Claire
from clairemap.nets.probability import stored_probability
from clairemap.tiles.dataset import TileDataset, stack_samples
from clairemap.training.batches import BandScales
from clairemap.training.distributed import Processes


@dataclass(frozen=True)
class Validation:
    """Mean IoU over the classes that occur in truth or map, overall accuracy, expected calibration error.

    All in 0..1, or NaN if no pixel could be scored.
    """

    miou: float
    oa: float
    ece: float


class PredictedTile(NamedTuple):
    """A held-out tile: number, logits (K, H, W) and class indices (H, W), on the device."""

    number: int
    logits: Tensor
    target: Tensor


def validation_scores(counts: Tally) -> Validation:
    """Return the scores from the counts of all tiles, as defined in `metrics`."""
    found = scores(counts.confusion)
    return Validation(found.miou, found.oa, expected_calibration_error(counts.calibration))


def validate(network: Claire, tiles: TileDataset, scales: BandScales, processes: Processes) -> Validation:
    """Return the scores on whole tiles, the same in all processes; the network is in training mode afterwards.

    The calibration error is that of stored confidences, without a temperature.
    """
    counts = Tally.empty(network.classes)
    for _, logits, target in predicted_tiles(network, tiles, scales, processes):
        counts += tile_counts(logits, _indices(target))
    return validation_scores(summed(counts, processes))


def tile_counts(logits: Tensor, truth: NDArray[np.uint8]) -> Tally:
    """Return the counts of one tile, from classes and confidences as stored; see `nets.probability`.

    Args:
        logits: (K, H, W).
        truth: class indices (H, W), IGNORE_INDEX where unlabelled.
    """
    return tally(truth, stored_probability(logits))


def summed(counts: Tally, processes: Processes) -> Tally:
    """Return the counts summed over all processes, in each of them."""
    return Tally.of(
        {name: processes.sum(torch.from_numpy(values)).cpu().numpy() for name, values in counts.arrays().items()}
    )


@torch.no_grad()
def predicted_tiles(
    network: Claire, tiles: TileDataset, scales: BandScales, processes: Processes
) -> Generator[PredictedTile, None, None]:
    """Yield this process's share of the tiles, mapped one at a time in evaluation mode.

    The network is in training mode after the last tile, or when the iterator is closed early.
    """
    network.eval()
    try:
        for number in processes.share_of(len(tiles)):
            batch = scales.normalise(stack_samples([tiles[number]]).to(processes.device))
            logits = network(batch.optical, batch.sar, batch.optical_weight, batch.sar_weight).logits
            yield PredictedTile(number, logits[0], batch.target[0])
    finally:
        network.train()


def _indices(classes: Tensor) -> NDArray[np.uint8]:
    return classes.to(torch.uint8).cpu().numpy()
