"""Scores of the network on held-out tiles, from one confusion matrix that all tiles and processes add to."""

from dataclasses import dataclass

import torch
from torch import Tensor

from clairemap.classes import IGNORE_INDEX
from clairemap.nets.claire import Claire
from clairemap.tiles.dataset import TileDataset, stacked
from clairemap.training.batches import BandScales
from clairemap.training.distributed import Processes


@dataclass(frozen=True)
class Validation:
    """Mean IoU over the classes that occur in truth or map, and overall accuracy; both 0..1."""

    miou: float
    oa: float


def confusion(target: Tensor, predicted: Tensor, classes: int) -> Tensor:
    """Return the confusion matrix (truth, map) int64 of class indices; pixels to ignore don't count."""
    known = target != IGNORE_INDEX
    pairs = target[known] * classes + predicted[known]
    return torch.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def validation_scores(matrix: Tensor) -> Validation:
    """Return the scores of a confusion matrix (truth, map).

    A class that occurs in neither is left out of the mean; one that is mapped but never true counts as 0. Without
    any pixel both scores are 0.
    """
    exact = matrix.double()
    hits = exact.diagonal()
    union = exact.sum(0) + exact.sum(1) - hits
    occurs = union > 0
    iou = hits[occurs] / union[occurs]
    miou = float(iou.mean()) if occurs.any() else 0.0
    return Validation(miou, float(hits.sum() / exact.sum().clamp(min=1)))


@torch.no_grad()
def validate(network: Claire, tiles: TileDataset, scales: BandScales, processes: Processes) -> Validation:
    """Return the scores on whole tiles; each process maps its share of them, one tile at a time.

    The network is left in training mode.
    """
    network.eval()
    matrix = torch.zeros(network.classes, network.classes, dtype=torch.int64, device=processes.device)
    for number in processes.share_of(len(tiles)):
        batch = scales.normalise(stacked([tiles[number]]).to(processes.device))
        logits = network(batch.optical, batch.sar, batch.optical_weight, batch.sar_weight).logits
        matrix += confusion(batch.target, logits.argmax(1), network.classes)
    network.train()
    return validation_scores(processes.sum(matrix))
