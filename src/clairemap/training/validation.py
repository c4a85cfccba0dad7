"""Scores of the network on held-out tiles, from one confusion matrix that all tiles and processes add to."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clairemap.metrics.calibration import Calibration, calibration, expected_calibration_error
from clairemap.metrics.confusion import Confusion, confusion_matrix
from clairemap.metrics.decision import decide
from clairemap.metrics.scores import scores
from clairemap.nets.claire import Claire
from clairemap.nets.probability import stored_probability
from clairemap.tiles.dataset import TileDataset, stacked
from clairemap.training.batches import BandScales
from clairemap.training.distributed import Processes


@dataclass(frozen=True)
class Validation:
    """Mean IoU over the classes that occur in truth or map, overall accuracy, expected calibration error.

    All 0..1, or NaN if no pixel could be scored.
    """

    miou: float
    oa: float
    ece: float


class MappedTile(NamedTuple):
    """A held-out tile: its number, the network's logits (K, H, W) and the class indices (H, W), on the device."""

    number: int
    logits: Tensor
    target: Tensor


def validation_scores(matrix: Confusion, confidences: Calibration) -> Validation:
    """Return the scores of the counts of all tiles, as `metrics` defines them."""
    found = scores(matrix)
    return Validation(found.miou, found.oa, expected_calibration_error(confidences))


def validate(network: Claire, tiles: TileDataset, scales: BandScales, processes: Processes) -> Validation:
    """Return the scores on whole tiles, the same in all processes; the network is left in training mode.

    The calibration error is that of the network as it is, without a temperature, and of the confidences as a map
    stores them (in 1/255).
    """
    matrix = np.zeros((network.classes, network.classes), np.int64)
    counts = Calibration.empty()
    for _, logits, target in mapped_tiles(network, tiles, scales, processes):
        truth = _indices(target)
        matrix += confusion_matrix(truth, _indices(logits.argmax(0)), network.classes)
        counts += calibration(truth, decide(stored_probability(logits)))
    px, correct = (processes.sum(torch.from_numpy(part)).cpu().numpy() for part in (counts.px, counts.correct))
    confidence = processes.sum(torch.from_numpy(counts.confidence)).cpu().numpy()
    matrix = processes.sum(torch.from_numpy(matrix)).cpu().numpy()
    return validation_scores(matrix, Calibration(px, correct, confidence))


@torch.no_grad()
def mapped_tiles(network: Claire, tiles: TileDataset, scales: BandScales, processes: Processes) -> Iterator[MappedTile]:
    """Yield this process's share of the tiles, one at a time; the network is in evaluation mode meanwhile."""
    network.eval()
    for number in processes.share_of(len(tiles)):
        batch = scales.normalise(stacked([tiles[number]]).to(processes.device))
        logits = network(batch.optical, batch.sar, batch.optical_weight, batch.sar_weight).logits
        yield MappedTile(number, logits[0], batch.target[0])
    network.train()


def _indices(classes: Tensor) -> NDArray[np.uint8]:
    return classes.to(torch.uint8).cpu().numpy()
