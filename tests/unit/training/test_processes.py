"""Two and four processes compute what one does: gradient in parts, validation, temperature."""

from dataclasses import astuple
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
import torch.multiprocessing
from torch import Tensor, distributed, nn

from clairemap.classes import IGNORE_INDEX
from clairemap.nets.bundle import BandScale
from clairemap.nets.rift import Rift
from clairemap.settings import LossSettings
from clairemap.tiles.dataset import Sample
from clairemap.training.batches import BandScales
from clairemap.training.calibration import calibrate
from clairemap.training.distributed import Processes
from clairemap.training.step import add_gradient
from clairemap.training.validation import validate

PROJECT = Path(__file__).parents[3]
COUNTS = (4, 2)
CPU = torch.device("cpu")
SCALES = BandScales(BandScale(names=("a", "b"), mean=(0, 0), std=(1, 1)), BandScale(names=("c",), mean=(0,), std=(1,)))


class Logits(NamedTuple):
    logits: Tensor


class Small(nn.Module):
    """A network of Claire's signature that costs nothing."""

    classes = 4

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.GELU(), nn.Conv2d(6, 4, 1)).double()

    def forward(self, optical: Tensor, sar: Tensor, *_: Tensor) -> Logits:
        return Logits(self.layers(torch.cat([optical, sar], 1).double()))


def crops() -> Sample:
    """Eight crops; class 3 occurs in one of them only, one has no labels, one has few."""
    generator = torch.Generator().manual_seed(5)
    images = torch.randn(8, 3, 12, 12, generator=generator, dtype=torch.float64)
    target = torch.randint(0, 3, (8, 12, 12), generator=generator)
    target[2, :3, :3] = 3
    target[1] = IGNORE_INDEX
    target[3, :10] = IGNORE_INDEX
    ones = torch.ones(8, 1, 12, 12, dtype=torch.float64)
    return Sample(images[:, :2], images[:, 2:], ones, ones, target)


def results(processes: Processes, parts: int) -> dict[str, object]:
    own = Sample(*(layer[processes.rank :: processes.count] for layer in crops()))
    network = processes.together(Small())
    loss = add_gradient(network, Rift(LossSettings(tversky_kappa=0.75), (500, 300, 200, 9)), own, parts)
    tiles = [Sample(*layers) for layers in zip(*crops(), strict=True)]
    temperature = calibrate(Small(), tiles, 1000, SCALES, processes)
    return {
        "loss": torch.stack(loss),
        "gradient": torch.cat([weight.grad.flatten() for weight in network.parameters()]),
        "validation": astuple(validate(Small(), tiles, SCALES, processes)),
        "temperature": (temperature.value, *temperature.fit.model_dump().values()),
    }


def work(rank: int, folder: str) -> None:
    """Compute with four processes, then with the first two of them: starting them is what takes time."""
    torch.set_num_threads(1)
    for count in COUNTS:
        if rank < count:
            meeting = f"file://{folder}/meeting-{count}"
            distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=count)
            torch.save(results(Processes(rank, count, CPU), parts=2), f"{folder}/{count}-{rank}.pt")
            distributed.destroy_process_group()


def test_several_processes_compute_what_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.syspath_prepend(str(PROJECT))  # the processes import this file by its dotted name
    torch.multiprocessing.spawn(work, (str(tmp_path),), nprocs=max(COUNTS))
    expected = results(Processes(0, 1, CPU), parts=1)
    assert expected["temperature"][-2:] == (7 * 144 - 120, 7)  # all labelled pixels of the seven tiles that have any
    for count in COUNTS:
        for rank in range(count):
            seen = torch.load(tmp_path / f"{count}-{rank}.pt")
            torch.testing.assert_close(seen, expected, rtol=1e-12, atol=1e-14)
