"""The training processes: a single one, or those started by torchrun."""

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
from clairemap.machine import NO_GPU

PROCESS_TIMEOUT = timedelta(minutes=30)
"""Maximum time a process waits for the others: longer than a validation or a checkpoint takes."""

MAX_READING_THREADS = 8

T = TypeVar("T")


def usable_cpus() -> int:
    """Return the number of CPUs that this process may use; under a scheduler often fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class Processes:
    """This process (`rank`, from 0, of `count`) and its device."""

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files and shows progress."""
        return self.rank == 0

    @property
    def reading_threads(self) -> int:
        """Number of threads that read batches: 1 for training on a CPU, this process's share of the CPUs on a GPU."""
        if self.device.type == "cpu":
            return 1
        local_processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        return min(MAX_READING_THREADS, max(1, usable_cpus() // local_processes))

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum of a tensor over all processes, in each of them."""
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
        """Wait until all processes have called this."""
        self.any([False])

    def broadcast_from_first(self, text: str | None) -> str | None:
        """Return the first process's text in all processes."""
        message = [text]
        if self.count > 1:
            dist.broadcast_object_list(message, device=self.device)
        return message[0]

    def gather(self, values: list[T]) -> list[T]:
        """Return the values of all processes, in order of rank, in each of them; values must be picklable."""
        if self.count == 1:
            return values
        gathered: list[Any] = [None] * self.count
        dist.all_gather_object(gathered, values)
        return [value for of_process in gathered for value in of_process]

    def share_of(self, total: int) -> range:
        """Return this process's share of the numbers 0 to total - 1: every `count`-th."""
        return range(self.rank, total, self.count)

    def ddp_network(self, network: nn.Module) -> nn.Module:
        """Return the network in DDP, which averages gradients over the processes; unchanged for one process."""
        if self.count == 1:
            return network
        return DistributedDataParallel(network, gradient_as_bucket_view=True, **_without_buffer_sync())


def _without_buffer_sync() -> dict[str, Any]:
    """Return the DDP option that disables syncing buffers, which never change here; PyTorch 2.13 renamed it."""
    known = inspect.signature(DistributedDataParallel).parameters
    return {"forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers": False}


@contextmanager
def process_group(device: Literal["auto", "cpu", "cuda"]) -> Iterator[Processes]:
    """Return a context in which the processes started by torchrun are connected, or with a single process.

    Args:
        device: auto uses a GPU if there are any, else the CPU.

    Raises:
        SettingsError: a GPU is needed, but there is none for this process.
    """
    count, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    own_device = _select_device(device, int(os.environ.get("LOCAL_RANK", "0")))
    if count == 1:
        yield Processes(0, 1, own_device)
        return
    if rank > 0:
        logging.getLogger("clairemap").setLevel(logging.ERROR)  # only the first process logs
    dist.init_process_group("nccl" if own_device.type == "cuda" else "gloo", timeout=PROCESS_TIMEOUT)
    try:
        yield Processes(rank, count, own_device)
    finally:
        dist.destroy_process_group()


def _select_device(setting: Literal["auto", "cpu", "cuda"], local_rank: int) -> torch.device:
    gpus = torch.cuda.device_count()
    if setting == "cpu" or (setting == "auto" and not gpus):
        return torch.device("cpu")
    if not gpus:
        raise SettingsError(NO_GPU)
    if local_rank >= gpus:
        raise SettingsError(
            f"process {local_rank} of this machine has no GPU: PyTorch sees {gpus} here; set "
            "compute.training_processes to the number of GPUs, or compute.device to cpu"
        )
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)
