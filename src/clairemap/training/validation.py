"""Scores of the network on held-out tiles, from one confusion matrix that all tiles and processes add to."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clairemap.metrics.confusion import Confusion, confusion_matrix
from clairemap.metrics.scores import scores
from clairemap.nets.claire import Claire
from clairemap.tiles.dataset import TileDataset, stacked
from clairemap.training.batches import BandScales
from clairemap.training.distributed import Processes


@dataclass(frozen=True)
class Validation:
    """Mean IoU over the classes that occur in truth or map, and overall accuracy; both 0..1."""

    miou: float
    oa: float


def validation_scores(matrix: Confusion) -> Validation:
    """Return the scores of a confusion matrix, as `metrics.scores` defines them; without any pixel both are 0."""
    found = scores(matrix)
    return Validation(found.miou, found.oa) if found.pixels else Validation(0.0, 0.0)


@torch.no_grad()
def validate(network: Claire, tiles: TileDataset, scales: BandScales, processes: Processes) -> Validation:
    """Return the scores on whole tiles; each process maps its share of them, one tile at a time.

    The network is left in training mode.
    """
    network.eval()
    matrix = np.zeros((network.classes, network.classes), np.int64)
    for number in processes.share_of(len(tiles)):
        batch = scales.normalise(stacked([tiles[number]]).to(processes.device))
        logits = network(batch.optical, batch.sar, batch.optical_weight, batch.sar_weight).logits
        matrix += confusion_matrix(_indices(batch.target), _indices(logits.argmax(1)), network.classes)
    network.train()
    return validation_scores(processes.sum(torch.from_numpy(matrix)).cpu().numpy())


def _indices(classes: Tensor) -> NDArray[np.uint8]:
    return classes.to(torch.uint8).cpu().numpy()
