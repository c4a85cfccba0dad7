"""Several processes against one: 1, 2 and 4 processes give the same loss, gradient and confusion matrix.

Size tiny in float64, RIFT with default settings, the step of `train_model`, and DDP over gloo. Eight crops with unequal
classes; one of four processes has no labels. Validation in float32, as in training.

- `max_loss_diff`: relative to one process.
- `max_grad_diff`: largest difference of an entry, relative to the largest entry of one process's gradient.
- `averaged_losses_cosine_N`: for contrast, cosine between the gradient of the whole batch and that of the mean of N
  processes' own losses.

Prints a table, and as its last line one JSON object.

    OMP_NUM_THREADS=1 python benchmarks/ddp.py [--quick]
"""

import argparse
import json
import platform
import tempfile
from dataclasses import astuple
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, distributed
from torch.multiprocessing.spawn import spawn
from torch.nn import functional

import clairemap
from clairemap.artefacts.model_card import BandScale
from clairemap.classes import IGNORE_INDEX
from clairemap.metrics.confusion import confusion_matrix
from clairemap.nets.claire import Claire
from clairemap.nets.rift import Rift
from clairemap.settings import LossSettings, NetworkSettings
from clairemap.tiles.dataset import TrainingSample
from clairemap.training.batches import BandScales
from clairemap.training.distributed import Processes
from clairemap.training.objective import Objective
from clairemap.training.step import accumulate_gradient
from clairemap.training.validation import predicted_tiles, validate

CROPS, CROP_PX, PATCH_PX = 8, 128, 16
OPTICAL, SAR = ("red", "green", "blue", "nir"), ("VV", "VH")
CLASS_PX = (34_640, 4_700, 5_850, 14_280, 37_850, 960, 1_720)  # of WHU-OPT-SAR, in proportion: weights 0.4 to 2.4
COUNTS, QUICK_COUNTS = (1, 2, 4), (1, 4)
AVERAGED, QUICK_AVERAGED = (2, 4, 8), (4,)
CPU = torch.device("cpu")


class Result(NamedTuple):
    """Results of one process after a step and a validation; the gradient is one vector of all parameters."""

    loss: Tensor
    gradient: Tensor
    confusion: Tensor
    scores: tuple[float, ...]


def main() -> None:
    """Run all numbers of processes and print the differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one and four processes, batches in one part only")
    quick = parser.parse_args().quick
    every_parts = (1,) if quick else (1, 2)
    counts, averaged = (QUICK_COUNTS, QUICK_AVERAGED) if quick else (COUNTS, AVERAGED)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        found = {count: started(count, every_parts, Path(folder)) for count in counts}
    reference = Result(*found[1][0][0])
    rows = [
        (count, parts, *apart([ranks[number] for ranks in found[count]], reference))
        for number, parts in enumerate(every_parts)
        for count in counts
    ]
    print(f"loss {reference.loss[0]:.6f}, {len(reference.gradient):,} parameters\n")
    print(f"{'processes':>9}{'parts':>7}{'loss':>11}{'gradient':>11}  confusion matrix")
    for count, parts, loss, gradient, equal in rows:
        print(f"{count:>9}{parts:>7}{loss:>11.1e}{gradient:>11.1e}  {'equal' if equal else 'DIFFERS'}")
    cosines = {count: cosine_of_averaged_losses(count, reference.gradient) for count in averaged}
    listed = ", ".join(f"{cosine:.3f} with {count}" for count, cosine in cosines.items())
    print(f"\nFor contrast, mean of the processes' own losses: cosine with the true gradient {listed} processes")
    figures = {
        "max_loss_diff": max(row[2] for row in rows),
        "max_grad_diff": max(row[3] for row in rows),
        "confusion_equal": all(row[4] for row in rows),
        **{f"averaged_losses_cosine_{count}": cosine for count, cosine in cosines.items()},
    }
    machine = {"python": platform.python_version(), "torch": torch.__version__, "clairemap": clairemap.__version__}
    print(json.dumps({**figures, **machine}))


def crops() -> TrainingSample:
    """Return eight crops of noise and patches, with different classes in each.

    Crops 1 and 5 have no labels, 3 and 7 only a strip: with four processes the second has no labels, with two it has
    few.
    """
    random = np.random.default_rng(11)
    shares = random.dirichlet(np.full(len(CLASS_PX), 0.4), CROPS)
    side = CROP_PX // PATCH_PX
    patches = np.stack([random.choice(len(CLASS_PX), (side, side), p=share) for share in shares])
    target = torch.from_numpy(patches.repeat(PATCH_PX, 1).repeat(PATCH_PX, 2))
    bands = torch.from_numpy(random.normal(size=(CROPS, len(OPTICAL + SAR), CROP_PX, CROP_PX)))
    bands += target[:, None] * torch.linspace(-0.3, 0.3, len(OPTICAL + SAR), dtype=torch.float64)[:, None, None]
    weight = torch.ones(CROPS, 1, CROP_PX, CROP_PX, dtype=torch.float64)
    target[[1, 5]] = IGNORE_INDEX
    target[[3, 7], 24:] = IGNORE_INDEX
    misleading = torch.zeros(CROPS, 2, CROP_PX, CROP_PX, dtype=torch.bool)
    return TrainingSample(bands[:, : len(OPTICAL)], bands[:, len(OPTICAL) :], weight, weight, target, misleading)


def network() -> Claire:
    """Return Claire tiny in float64; the same weights in every process."""
    torch.manual_seed(3)
    return Claire(len(OPTICAL), len(SAR), len(CLASS_PX), NetworkSettings()).double()


def scales() -> BandScales:
    """Return scales that do not change the bands."""
    return BandScales(*(BandScale(names=n, mean=(0.0,) * len(n), std=(1.0,) * len(n)) for n in (OPTICAL, SAR)))


def rift() -> Rift:
    """Return RIFT with default settings."""
    return Rift(LossSettings(), CLASS_PX)


def started(count: int, every_parts: tuple[int, ...], folder: Path) -> list[list[Result]]:
    """Return the results of each of `count` processes, for each number of parts."""
    spawn(work, (count, every_parts, folder), nprocs=count)  # type: ignore[no-untyped-call]
    return [torch.load(folder / f"{count}-{rank}.pt", weights_only=False) for rank in range(count)]


def work(rank: int, count: int, every_parts: tuple[int, ...], folder: Path) -> None:
    """Compute as one of `count` processes, with each number of parts, and write the results to the folder."""
    torch.set_num_threads(1)
    if count > 1:
        meeting = f"file://{folder}/meeting-{count}"
        distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=count)
    processes = Processes(rank, count, CPU)
    results = [result(processes, parts) for parts in every_parts]
    torch.save([tuple(found) for found in results], folder / f"{count}-{rank}.pt")
    if count > 1:
        distributed.destroy_process_group()


def result(processes: Processes, parts: int) -> Result:
    """Return loss and gradient of this process's crops, and the scores of the network on all crops."""
    own = TrainingSample._make(layer[processes.rank :: processes.count] for layer in crops())
    ddp_network = processes.ddp_network(network())
    loss = accumulate_gradient(ddp_network, Objective(rift()), own, parts)
    gradient = torch.cat([weight.grad.flatten() for weight in ddp_network.parameters() if weight.grad is not None])
    tiles: Any = [
        TrainingSample._make([*(layer.float() for layer in layers[:4]), *layers[4:]])
        for layers in zip(*crops(), strict=True)
    ]
    plain = network().float()  # validation normalises to float32
    confusion = np.zeros((plain.classes, plain.classes), np.int64)
    for _, logits, target in predicted_tiles(plain, tiles, scales(), processes):
        truth, mapped = (layer.to(torch.uint8).numpy() for layer in (target, logits.argmax(0)))
        confusion += confusion_matrix(truth, mapped, plain.classes)
    scores = astuple(validate(plain, tiles, scales(), processes))
    return Result(torch.stack(loss), gradient, processes.sum(torch.from_numpy(confusion)), scores)


def apart(ranks: list[tuple[Any, ...]], reference: tuple[Any, ...]) -> tuple[float, float, bool]:
    """Return the differences from one process: loss, gradient, and whether matrices, mIoU and OA are identical."""
    expected, found = Result(*reference), [Result(*rank) for rank in ranks]
    loss = max(((rank.loss - expected.loss).abs() / expected.loss.abs()).max().item() for rank in found)
    largest = expected.gradient.abs().max()
    gradient = max(((rank.gradient - expected.gradient).abs().max() / largest).item() for rank in found)
    equal = (
        torch.equal(rank.confusion, expected.confusion) and rank.scores[:2] == expected.scores[:2] for rank in found
    )
    return loss, gradient, all(equal)


def cosine_of_averaged_losses(count: int, gradient: Tensor) -> float:
    """Return the cosine of the true gradient and the gradient of the mean of `count` processes' own losses."""
    net, loss, batch = network(), rift(), crops()
    logits = net(batch.optical, batch.sar, batch.optical_weight, batch.sar_weight).logits
    own = [loss(logits[rank::count], batch.target[rank::count]).total for rank in range(count)]
    torch.stack(own).mean().backward()  # type: ignore[no-untyped-call]
    averaged = torch.cat([weight.grad.flatten() for weight in net.parameters() if weight.grad is not None])
    return functional.cosine_similarity(averaged, gradient, dim=0).item()


if __name__ == "__main__":
    main()
