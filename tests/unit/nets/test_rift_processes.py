"""RIFT over several processes: loss and gradient are those of one process with the whole batch."""

import multiprocessing
from pathlib import Path

import pytest
import torch
import torch.multiprocessing
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from clairemap.classes import IGNORE_INDEX
from clairemap.nets.rift import Rift
from clairemap.settings import LossSettings

GROUPS = (4, 2)  # processes
PROJECT = Path(__file__).parents[3]


def batch() -> tuple[Tensor, Tensor]:
    """Return an uneven batch: class 3 occurs in one process only, and the other has few labels."""
    generator = torch.Generator().manual_seed(5)
    images = torch.randn(4, 2, 12, 12, generator=generator, dtype=torch.float64)
    target = torch.randint(0, 3, (4, 12, 12), generator=generator)
    target[2, :3, :3] = 3
    target[1] = IGNORE_INDEX
    target[3, :10] = IGNORE_INDEX
    return images, target


def loss_and_gradient(network: nn.Module, images: Tensor, target: Tensor) -> list[Tensor]:
    loss = Rift(LossSettings(tversky_kappa=0.75), (500, 300, 200, 9))(network(images), target)
    loss.total.backward()
    gradient = torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])
    return [torch.stack(loss).detach(), gradient]


def small_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 6, 3, padding=1), nn.GELU(), nn.Conv2d(6, 4, 1)).double()


def unlabelled_in_process_1(target: Tensor, processes: int) -> Tensor:
    return torch.where(torch.arange(len(target))[:, None, None] % processes == 1, IGNORE_INDEX, target)


def work(rank: int, folder: str) -> None:
    """Compute in groups of each size; smaller groups leave some processes out."""
    torch.set_num_threads(1)
    for processes in GROUPS:
        if rank < processes:
            work_in_group(rank, processes, Path(folder) / str(processes))


def work_in_group(rank: int, processes: int, folder: Path) -> None:
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=processes)
    images, target = batch()
    own = slice(rank, None, processes)
    results = [
        loss_and_gradient(DistributedDataParallel(small_network()), images[own], labels[own])
        for labels in (target, unlabelled_in_process_1(target, processes))
    ]
    torch.save(results, folder / f"{rank}.pt")
    distributed.destroy_process_group()


def test_processes_equal_one_even_if_one_has_no_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.syspath_prepend(str(PROJECT))  # the processes import this file by its dotted name
    for processes in GROUPS:
        (tmp_path / str(processes)).mkdir()
    # One process imports torch and the others are forked from it, which takes a quarter of the time.
    multiprocessing.set_forkserver_preload(["torch._dynamo", "clairemap.nets.rift"])
    torch.multiprocessing.start_processes(work, (str(tmp_path),), nprocs=max(GROUPS), start_method="forkserver")
    images, target = batch()
    for processes in GROUPS:
        expected = [
            loss_and_gradient(small_network(), images, labels)
            for labels in (target, unlabelled_in_process_1(target, processes))
        ]
        for rank in range(processes):
            got = torch.load(tmp_path / str(processes) / f"{rank}.pt")
            torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-14)
