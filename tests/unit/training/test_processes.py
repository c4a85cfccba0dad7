"""Two and four processes give the results of one: accumulated gradient, validation, temperature.

When two processes train, they end together.
"""

import shutil
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
import torch.multiprocessing
from torch import Tensor, distributed, nn
from torch.nn import functional

from clairemap.artefacts.model_card import BandScale
from clairemap.classes import IGNORE_INDEX
from clairemap.errors import TimeBudgetError, TrainingError
from clairemap.grid.window import Window
from clairemap.nets.rift import Rift
from clairemap.settings import LossSettings, TrainingSettings
from clairemap.tiles.dataset import TrainingSample
from clairemap.tiles.split_assignment import LabelledTile
from clairemap.training import calibration, model, step
from clairemap.training.batches import BandScales
from clairemap.training.calibration import calibrate
from clairemap.training.checkpoint import CheckpointFolder
from clairemap.training.distributed import Processes
from clairemap.training.job import TrainingJob
from clairemap.training.loop import train
from clairemap.training.objective import Objective
from clairemap.training.step import StepContext, accumulate_gradient, train_step
from clairemap.training.validation import validate

PROJECT = Path(__file__).parents[3]
COUNTS = (4, 2)
CPU = torch.device("cpu")
SCALES = BandScales(BandScale(names=("a", "b"), mean=(0, 0), std=(1, 1)), BandScale(names=("c",), mean=(0,), std=(1,)))


class Logits(NamedTuple):
    logits: Tensor
    shares: tuple[Tensor, ...]
    alone: tuple[Tensor, ...] = ()


class Small(nn.Module):
    """A small network with the signature of Claire."""

    classes = 4

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.GELU(), nn.Conv2d(6, 4, 1)).double()

    def forward(self, optical: Tensor, sar: Tensor, *_: Tensor) -> Logits:
        logits = self.layers(torch.cat([optical, sar], 1).double())
        return Logits(logits, (functional.avg_pool2d(logits[:, :1].sigmoid(), 4),))


def crops() -> TrainingSample:
    """Return eight crops: class 3 occurs in only one, one has no labels, one has few."""
    generator = torch.Generator().manual_seed(5)
    images = torch.randn(8, 3, 12, 12, generator=generator, dtype=torch.float64)
    target = torch.randint(0, 3, (8, 12, 12), generator=generator)
    target[2, :3, :3] = 3
    target[1] = IGNORE_INDEX
    target[3, :10] = IGNORE_INDEX
    ones = torch.ones(8, 1, 12, 12, dtype=torch.float64)
    misleading = torch.zeros(8, 2, 12, 12, dtype=torch.bool)
    misleading[0, 0], misleading[5, 1, 4:], misleading[6, 0, :, 8:] = True, True, True
    return TrainingSample(images[:, :2], images[:, 2:], ones, ones, target, misleading)


class HeldOut(list[TrainingSample]):
    """Samples of tiles."""

    tiles: Sequence[LabelledTile]


def results(processes: Processes, parts: int) -> dict[str, object]:
    own = TrainingSample(*(layer[processes.rank :: processes.count] for layer in crops()))
    network = processes.ddp_network(Small())
    objective = Objective(Rift(LossSettings(tversky_kappa=0.75), (500, 300, 200, 9)), gate_weight=0.3)
    loss = accumulate_gradient(network, objective, own, parts)
    tiles = [TrainingSample(*layers) for layers in zip(*crops(), strict=True)]
    held_out = HeldOut(tiles)
    held_out.tiles = [LabelledTile("ab"[number // 4], Window(0, 0, 12, 12), (144,)) for number in range(8)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration, "ENOUGH_PX", 100)
        temperature = calibrate(Small(), held_out, (), SCALES, processes)
    assert temperature.fit.unseen.scenes == 2
    return {
        "loss": torch.stack(loss),
        "gradient": torch.cat([weight.grad.flatten() for weight in network.parameters()]),
        "validation": astuple(validate(Small(), tiles, SCALES, processes)),
        "temperature": (temperature.value, *temperature.fit.model_dump(exclude={"unseen"}).values()),
        "unseen": tuple(temperature.fit.unseen.model_dump().values()),
    }


def stops(processes: Processes) -> bool:
    """Return whether a fault in the last process makes a step raise and leave the weights unchanged."""
    network, clip = Small(), nn.utils.clip_grad_norm_
    context = StepContext(
        processes.ddp_network(network),
        Objective(Rift(LossSettings(), (500, 300, 200, 9))),
        torch.optim.SGD(network.parameters(), lr=1.0),
        SCALES,
        TrainingSettings(),
        processes,
    )

    def faulty(*arguments: object) -> Tensor:
        return clip(*arguments) * (torch.nan if processes.rank == processes.count - 1 else 1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step.nn.utils, "clip_grad_norm_", faulty)
        with pytest.raises(TrainingError, match="step 1"):
            train_step(context, iter([crops()]), 0)
    return all(torch.equal(value, Small().state_dict()[name]) for name, value in network.state_dict().items())


def work(rank: int, folder: str) -> None:
    """Compute with four processes, then with the first two of them, because starting processes is slow."""
    torch.set_num_threads(1)
    for count in COUNTS:
        if rank < count:
            meeting = f"file://{folder}/meeting-{count}"
            distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=count)
            processes = Processes(rank, count, CPU)
            torch.save(results(processes, parts=2), f"{folder}/{count}-{rank}.pt")
            Path(folder, f"{count}-{rank}-{'stops' if stops(processes) else 'continues'}").touch()
            distributed.destroy_process_group()


def test_several_processes_give_the_results_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.syspath_prepend(str(PROJECT))  # the processes import this file by its dotted name
    torch.multiprocessing.spawn(work, (str(tmp_path),), nprocs=max(COUNTS))
    expected = results(Processes(0, 1, CPU), parts=1)
    # all labelled pixels of the seven tiles that have any
    assert expected["temperature"][-3:] == (7 * 144 - 120, 7, 2)
    for count in COUNTS:
        for rank in range(count):
            seen = torch.load(tmp_path / f"{count}-{rank}.pt")
            torch.testing.assert_close(seen, expected, rtol=1e-12, atol=1e-14)
            assert (tmp_path / f"{count}-{rank}-stops").exists()


def train_slowly(rank: int, folder: str, job: TrainingJob) -> None:
    """With a slow disk, train one run to its end, and another with a time limit of one step, which is then resumed."""
    torch.set_num_threads(1)
    meeting = f"file://{folder}/meeting"
    distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=2)
    processes = Processes(rank, 2, CPU)
    save = CheckpointFolder.save

    def save_slowly(*arguments: object) -> Path:
        time.sleep(0.3)
        saved = save(*arguments)
        Path(folder, "saved").touch()
        return saved

    def measured(_: nn.Module) -> tuple[int, float]:
        Path(folder, f"measured-by-{rank}").touch()
        return 256, 2e-5

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CheckpointFolder, "save", save_slowly)
        patch.setattr(model, "measured_halo_px", measured)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            trained = train(job, processes, {})
        Path(folder, f"{rank}-warnings").write_text("\n".join(str(warning.message) for warning in warned))
        Path(folder, f"{rank}-has-{'nothing' if trained is None else len(trained.history)}").touch()
        Path(folder, "saved").unlink(missing_ok=True)
        with pytest.raises(TimeBudgetError):
            train(replace(job, code="other", minutes=1e-6), processes, {})
        when = "after" if Path(folder, "saved").exists() else "before"
        Path(folder, f"{rank}-ends-{when}-the-state-is-saved").touch()
        if processes.is_first:
            shutil.copytree(job.checkpoints, Path(folder, "left"))
        resumed = train(replace(job, code="other"), processes, {})
    if trained is not None and resumed is not None:
        torch.save([run.network.state_dict() for run in (trained, resumed)], Path(folder, "weights.pt"))
    distributed.destroy_process_group()


def test_two_processes_end_together_and_one_has_the_result(
    made_job: Callable[..., TrainingJob], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.syspath_prepend(str(PROJECT))
    job = made_job(tmp_path / "checkpoints", steps=2)
    torch.multiprocessing.spawn(train_slowly, (str(tmp_path), job), nprocs=2)
    events = {path.name for path in tmp_path.iterdir()}
    # torchrun kills the first process as soon as the other exits with an error.
    assert {"0-ends-after-the-state-is-saved", "1-ends-after-the-state-is-saved"} <= events
    late = replace(job, code="other")
    assert CheckpointFolder(tmp_path / "left" / late.fingerprint).newest() == "step-000001.pt"
    # Two processes resume it bit for bit, one process resumes it except for rounding.
    undisturbed, resumed = torch.load(tmp_path / "weights.pt")
    assert all(torch.equal(weight, undisturbed[name]) for name, weight in resumed.items())
    monkeypatch.setattr(model, "measured_halo_px", lambda _: (256, 2e-5))
    one = train(replace(late, checkpoints=tmp_path / "left"), Processes(0, 1, CPU), {})
    assert [row.step for row in one.history] == [1, 2]
    alone = one.network.state_dict()
    apart = torch.cat([(alone[name] - weight).abs().flatten() for name, weight in undisturbed.items()])
    # Adam divides by the gradient's size: if a gradient is only rounding error, its weight moves by up to 1e-3.
    assert (apart > 1e-5).sum() <= 10 and apart.max() < 1e-3
    # Only the first process returns the result and measures the halo.
    assert {"0-has-2", "1-has-nothing", "measured-by-0"} <= events
    assert "measured-by-1" not in events
    assert [(tmp_path / f"{rank}-warnings").read_text() for rank in range(2)] == ["", ""]  # no warnings of DDP
