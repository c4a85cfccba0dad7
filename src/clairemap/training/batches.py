"""Batches for training, read by threads or processes while the network computes."""

from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch.utils.data import DataLoader

from clairemap.artefacts.model_card import BandScale
from clairemap.nets.normalisation import normalise
from clairemap.tiles.dataset import CropDataset, TrainingSample, stack_samples

PREFETCHED_BATCHES = 2


@dataclass(frozen=True)
class BandScales:
    """Mean and standard deviation of both sensors' bands, as on the model's card."""

    optical: BandScale
    sar: BandScale

    def normalise(self, batch: TrainingSample) -> TrainingSample:
        """Return the batch with normalised bands."""
        return batch._replace(optical=normalise(batch.optical, self.optical), sar=normalise(batch.sar, self.sar))


def batches_of_workers(
    crops: CropDataset, numbers: Iterable[Sequence[int]], workers: int
) -> Generator[TrainingSample, None, None]:
    """Yield the same batches as `batches`, read by several processes, in pinned memory if there is a GPU.

    For a GPU: threads read no more crops per second than one, because zarr decodes in a single thread and augmentation
    holds the GIL. Memory per process: PREFETCHED_BATCHES batches, shared.
    """
    loader: DataLoader[TrainingSample] = DataLoader(
        crops,
        batch_sampler=list(map(list, numbers)),
        num_workers=workers,
        prefetch_factor=PREFETCHED_BATCHES,
        collate_fn=stack_samples,
        pin_memory=torch.cuda.is_available(),
        multiprocessing_context="spawn",  # a fork would copy locks held by threads of CUDA and zarr
    )
    yield from loader


def batches(
    crops: CropDataset, numbers: Iterable[Sequence[int]], threads: int
) -> Generator[TrainingSample, None, None]:
    """Yield one batch per list of crop numbers, in order, read ahead by threads.

    Memory: PREFETCHED_BATCHES batches in addition to the one that is yielded.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="crops") as pool:
        waiting: deque[list[Future[TrainingSample]]] = deque()
        try:
            for batch in numbers:
                waiting.append([pool.submit(crops.__getitem__, number) for number in batch])
                if len(waiting) > PREFETCHED_BATCHES:
                    yield _collated(waiting.popleft())
            while waiting:
                yield _collated(waiting.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _collated(futures: Sequence[Future[TrainingSample]]) -> TrainingSample:
    return stack_samples([future.result() for future in futures])
