import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from clairemap.artefacts.model_card import BandScale
from clairemap.errors import StoreError
from clairemap.tiles.dataset import CropDataset, TrainingSample
from clairemap.tiles.sampling import CropSampler
from clairemap.training.batches import PREFETCHED_BATCHES, BandScales, batches, batches_of_workers
from clairemap.training.job import TrainingJob


class NumberedCrops:
    """Crops filled with their number; every third takes longer to read."""

    def __init__(self, broken: int | None = None) -> None:
        self.broken = broken
        self.read: list[int] = []
        self.is_ahead = threading.Event()

    def __getitem__(self, number: int) -> TrainingSample:
        time.sleep(0.02 if number % 3 == 0 else 0)
        self.read.append(number)
        if number >= 8:
            self.is_ahead.set()
        if number == self.broken:
            raise StoreError("damaged")
        return TrainingSample(*(torch.full((1, 2, 2), float(number)) for _ in range(6)))


NUMBERS = [range(0, 4), range(4, 8), range(8, 12), range(12, 16), range(16, 20), range(20, 24)]


@pytest.mark.parametrize("threads", [1, 4])
def test_batches_come_in_order(threads: int):
    seen = [batch.optical[:, 0, 0, 0].tolist() for batch in batches(NumberedCrops(), NUMBERS, threads)]
    assert seen == [[float(number) for number in numbers] for numbers in NUMBERS]


def test_reading_runs_ahead_by_a_limited_number_of_batches():
    crops = NumberedCrops()
    feed = batches(crops, NUMBERS, 1)
    next(feed)
    assert crops.is_ahead.wait(timeout=30)
    feed.close()
    assert max(crops.read) < 4 * (1 + PREFETCHED_BATCHES)


def test_an_error_while_reading_is_raised():
    feed = batches(NumberedCrops(broken=5), NUMBERS, 2)
    next(feed)
    with pytest.raises(StoreError, match="damaged"):
        next(feed)


def test_bands_are_normalised_by_their_own_sensor():
    scales = BandScales(BandScale(names=("a",), mean=(2,), std=(4,)), BandScale(names=("b",), mean=(0,), std=(0.5,)))
    (batch,) = batches(NumberedCrops(), [[10]], 1)
    normalised = scales.normalise(batch)
    assert (float(normalised.optical.mean()), float(normalised.sar.mean())) == (2, 20)
    assert torch.equal(normalised.target, batch.target)


def test_processes_read_the_same_batches_as_threads(made_job: Callable[..., TrainingJob], tmp_path: Path):
    job = made_job(tmp_path)
    settings = job.settings.training
    sampler = CropSampler(job.training_tiles, settings, job.settings.augmentation, job.settings.seed)
    crops = CropDataset(job.source(), sampler, settings, job.statistics)
    numbers = [range(0, 2), range(2, 4), range(4, 6)]
    of_threads, of_processes = batches(crops, numbers, 1), batches_of_workers(crops, numbers, 2)
    for expected, found in zip(of_threads, of_processes, strict=True):
        for layer, other in zip(expected, found, strict=True):
            torch.testing.assert_close(other, layer, rtol=0, atol=0, equal_nan=True)
