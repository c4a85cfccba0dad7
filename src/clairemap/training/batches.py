"""The batches of a run, read ahead by threads while the network computes."""

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
    """Mean and deviation of both sensors' bands, as the model's card holds them."""

    optical: BandScale
    sar: BandScale

    def normalise(self, batch: TrainingSample) -> TrainingSample:
        """Return the batch with bands as the network takes them."""
        return batch._replace(optical=normalise(batch.optical, self.optical), sar=normalise(batch.sar, self.sar))


def batches_of_workers(
    crops: CropDataset, numbers: Iterable[Sequence[int]], workers: int
) -> Generator[TrainingSample, None, None]:
    """Yield the batches that `batches` does, each read by one of several processes; pinned where there is a GPU.

    For a GPU: threads don't read more crops in a second than one alone, since zarr decodes in a single thread and
    augmentation holds the interpreter's lock.
    Memory: PREFETCHED_BATCHES batches for each process, in shared memory; a process starts in seconds.
    """
    loader: DataLoader[TrainingSample] = DataLoader(
        crops,
        batch_sampler=list(map(list, numbers)),
        num_workers=workers,
        prefetch_factor=PREFETCHED_BATCHES,
        collate_fn=stack_samples,
        pin_memory=torch.cuda.is_available(),
        multiprocessing_context="spawn",  # a fork would copy locks that CUDA's and zarr's threads hold
    )
    yield from loader


def batches(
    crops: CropDataset, numbers: Iterable[Sequence[int]], threads: int
) -> Generator[TrainingSample, None, None]:
    """Yield one batch for each list of crop numbers, in their order whatever the number of threads.

    Memory: PREFETCHED_BATCHES batches besides the one that is yielded. Threads suffice, because reading, decompressing
    and copying all let go of the interpreter; so no sample crosses a process border.
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
