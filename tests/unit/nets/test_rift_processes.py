"""RIFT over several processes: loss and gradient are those of one process with the whole batch."""

from pathlib import Path

import pytest
import torch
import torch.multiprocessing
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from clairemap.classes import IGNORE_INDEX
from clairemap.nets.rift import Rift
from clairemap.settings import LossSettings

PROCESSES = 2
PROJECT = Path(__file__).parents[3]


def batch() -> tuple[Tensor, Tensor]:
    """Uneven on purpose: class 3 occurs in one process only, and the other has few labels."""
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


def unlabelled_in_process_1(target: Tensor) -> Tensor:
    return torch.where(torch.arange(len(target))[:, None, None] % PROCESSES == 1, IGNORE_INDEX, target)


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=PROCESSES)
    images, target = batch()
    own = slice(rank, None, PROCESSES)
    results = [
        loss_and_gradient(DistributedDataParallel(small_network()), images[own], labels[own])
        for labels in (target, unlabelled_in_process_1(target))
    ]
    torch.save(results, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


def test_two_processes_equal_one_even_if_one_has_no_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.syspath_prepend(str(PROJECT))  # the processes import this file by its dotted name
    torch.multiprocessing.spawn(work, (str(tmp_path),), nprocs=PROCESSES)
    images, target = batch()
    expected = [
        loss_and_gradient(small_network(), images, labels) for labels in (target, unlabelled_in_process_1(target))
    ]
    for rank in range(PROCESSES):
        torch.testing.assert_close(torch.load(tmp_path / f"{rank}.pt"), expected, rtol=1e-12, atol=1e-14)
