"""The processes that train together: one alone, or those that torchrun started."""

import inspect
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

from clairemap.errors import SettingsError

PROCESS_TIMEOUT = timedelta(minutes=30)
"""How long a process waits for the others before it gives up: longer than a validation or a checkpoint takes."""

MAX_READING_THREADS = 8

T = TypeVar("T")


def usable_cpus() -> int:
    """Return the CPUs that this process may use: under a scheduler often fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class Processes:
    """This process among `count`, and the device it computes on."""

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and tells how far training is."""
        return self.rank == 0

    @property
    def reading_threads(self) -> int:
        """Threads that read ahead: one beside a CPU that computes, this process's share of the CPUs beside a GPU."""
        if self.device.type == "cpu":
            return 1
        beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        return min(MAX_READING_THREADS, max(1, usable_cpus() // beside))

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum of the processes' tensors, on all of them."""
        if self.count > 1:
            values = values.to(self.device, copy=True)
            dist.all_reduce(values)
        return values

    def any(self, flags: Sequence[bool]) -> tuple[bool, ...]:
        """Return for each flag whether it is set in any process."""
        if self.count == 1:
            return tuple(flags)
        counts = self.sum(torch.tensor(list(flags), dtype=torch.int32))
        return tuple(bool(count) for count in counts.tolist())

    def wait(self) -> None:
        """Return when all processes have come here, so that none ends while another still writes."""
        self.any([False])

    def broadcast_from_first(self, text: str | None) -> str | None:
        """Return what the first process passed, on all of them."""
        box = [text]
        if self.count > 1:
            dist.broadcast_object_list(box, device=self.device)
        return box[0]

    def gather(self, values: list[T]) -> list[T]:
        """Return what the processes passed, one after the other, on all of them; anything that can be pickled."""
        if self.count == 1:
            return values
        boxes: list[Any] = [None] * self.count
        dist.all_gather_object(boxes, values)
        return [value for box in boxes for value in box]

    def share_of(self, total: int) -> range:
        """Return the numbers from 0 to total - 1 that are this process's: every `count`-th."""
        return range(self.rank, total, self.count)

    def ddp_network(self, network: nn.Module) -> nn.Module:
        """Return the network with gradients that are averaged over the processes."""
        if self.count == 1:
            return network
        return DistributedDataParallel(network, gradient_as_bucket_view=True, **_without_buffer_sync())


def _without_buffer_sync() -> dict[str, Any]:
    """Return the option of DDP not to exchange buffers, of which none changes in training: PyTorch 2.13 renamed it."""
    known = inspect.signature(DistributedDataParallel).parameters
    return {"forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers": False}


@contextmanager
def process_group(device: Literal["auto", "cpu", "cuda"]) -> Iterator[Processes]:
    """Join the processes that torchrun started, if it did, for as long as the context lasts.

    Args:
        device: auto takes the GPU of this process's number on its machine if there are any, else the CPU.

    Raises:
        SettingsError: a GPU is asked for and there is none for this process.
    """
    count, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    place = _device(device, int(os.environ.get("LOCAL_RANK", "0")))
    if count == 1:
        yield Processes(0, 1, place)
        return
    if rank > 0:
        logging.getLogger("clairemap").setLevel(logging.ERROR)  # one voice is enough
    dist.init_process_group("nccl" if place.type == "cuda" else "gloo", timeout=PROCESS_TIMEOUT)
    try:
        yield Processes(rank, count, place)
    finally:
        dist.destroy_process_group()


def _device(wanted: Literal["auto", "cpu", "cuda"], local_rank: int) -> torch.device:
    gpus = torch.cuda.device_count()
    if wanted == "cpu" or (wanted == "auto" and not gpus):
        return torch.device("cpu")
    if not gpus:
        raise SettingsError("compute.device is cuda, but PyTorch sees no GPU here; set it to auto or cpu")
    if local_rank >= gpus:
        raise SettingsError(
            f"process {local_rank} of this machine has no GPU: {gpus} found; set compute.device to cpu, or "
            "compute.training_processes to the number of GPUs"
        )
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)
