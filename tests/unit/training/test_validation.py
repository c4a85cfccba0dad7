from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch

from clairemap.classes import IGNORE_INDEX
from clairemap.metrics.calibration import Calibration
from clairemap.metrics.confusion import Confusion
from clairemap.metrics.tally import Tally
from clairemap.tiles.dataset import TileDataset
from clairemap.training.distributed import Processes
from clairemap.training.job import TrainingJob
from clairemap.training.model import new_network
from clairemap.training.validation import predicted_tiles, summed, tile_counts, validation_scores


def counted(matrix: Confusion) -> Tally:
    return Tally(matrix, Calibration.empty(), unmapped_px=0, tiles=1)


def test_scores_exclude_classes_in_neither_truth_nor_map():
    matrix = np.array([[6, 2, 0, 0], [0, 2, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    scores = validation_scores(counted(matrix))
    assert scores.miou == pytest.approx((6 / 8 + 2 / 4) / 2)
    assert scores.oa == pytest.approx(0.8)
    matrix[0, 3] = 2  # class 3 is only in the map
    assert validation_scores(counted(matrix)).miou == pytest.approx((6 / 10 + 2 / 4 + 0) / 3)


def test_without_pixels_scores_are_nan():
    scores = validation_scores(counted(np.zeros((3, 3), np.int64)))
    assert np.isnan([scores.miou, scores.oa, scores.ece]).all()


def test_the_calibration_error_is_that_of_the_stored_confidences():
    logits = torch.log(torch.tensor([[[0.8, 0.8, 0.8, 0.8]], [[0.2, 0.2, 0.2, 0.2]]]))
    truth = np.array([[0, 0, 1, 1]], np.uint8)
    counts = tile_counts(logits, truth)
    assert counts.confusion.tolist() == [[2, 0], [2, 0]]
    assert validation_scores(counts).ece == pytest.approx(0.8 - 0.5)


def test_one_process_sums_to_its_own_counts():
    logits = torch.randn((3, 4, 5), generator=torch.Generator().manual_seed(0))
    truth = np.full((4, 5), IGNORE_INDEX, np.uint8)
    truth[:2] = 1
    counts = Tally.empty(3) + tile_counts(logits, truth) + tile_counts(-logits, truth)
    found = summed(counts, Processes(0, 1, torch.device("cpu")))
    assert (found.tiles, found.unmapped_px) == (2, 0)
    assert found.confusion.tolist() == counts.confusion.tolist()
    assert found.calibration.px.sum() == found.confusion.sum() == 20


def test_the_network_is_in_training_mode_after_an_early_stop(
    made_job: Callable[..., TrainingJob], alone: Processes, tmp_path: Path
):
    job = made_job(tmp_path)
    network = new_network(job)
    tiles = TileDataset(job.source(), job.validation_tiles)
    with closing(predicted_tiles(network, tiles, job.scales, alone)) as predicted:
        next(predicted)
        assert not network.training
    assert network.training
