"""Confusion matrices of tiles compared with torchmetrics, and intervals of a block bootstrap by number of blocks.

Labels and map of 8192² px, 8 classes, tiles of 256 px, one thread; a matrix per tile. Each tool gets copies of the
tiles, torchmetrics as tensors of int64, as in its documentation; copying is not timed.

- `vs_torchmetrics`: speed of clairemap over torchmetrics with `validate_args=False`, in pixels per CPU second, median
  of runs in turns; `vs_torchmetrics_default`: over its default, which checks the values of each tile.
- `…_uint8`: the same with tensors of uint8, which torchmetrics checks faster and counts more slowly.
- `equal`: the matrices of all tiles are the same. `mpx_per_s…`: 10⁶ pixels per CPU second.
- `coverage_by_blocks`: share of 95 % intervals that contain the true figure, from 1,000 simulated maps whose blocks
  have different accuracies (standard deviation .11), by number of blocks.

torchmetrics: `pip install -c constraints.txt -e '.[bench]'`; without it, its figures are null.

Prints its figures, and as its last line one JSON object.

    python benchmarks/metrics.py [--quick] [--repetitions 3]
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clairemap.grid.tiles import tiles
from clairemap.metrics.bootstrap import BlockSums, bootstrap
from clairemap.metrics.confusion import confusion_matrix
from clairemap.metrics.scores import figures_of

SIDE_PX, QUICK_SIDE_PX = 8192, 1024
TILE_PX, PATCH_PX, CLASSES = 256, 32, 8
WRONG = 0.15
MAPS, QUICK_MAPS = 1000, 20
BLOCKS = (5, 10, 20, 30, 60, 120)
BLOCK_PIXELS = 20_000
ACCURACY = 8.5, 1.5
"""Parameters of the beta distribution of a block's accuracy: mean .85, standard deviation .11."""

PEERS = {
    "torchmetrics": ("int64", False),
    "torchmetrics_default": ("int64", True),
    "torchmetrics_uint8": ("uint8", False),
    "torchmetrics_default_uint8": ("uint8", True),
}
"""Number type of the tensors, and `validate_args`."""

Raster = NDArray[np.uint8]
Matrices = NDArray[np.int64]


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small rasters, few simulated maps")
    parser.add_argument("--repetitions", type=int, default=3, help="runs of each tool")
    asked = parser.parse_args()
    figures = of_matrices(QUICK_SIDE_PX if asked.quick else SIDE_PX, 1 if asked.quick else asked.repetitions)
    figures["coverage_by_blocks"] = coverage(QUICK_MAPS if asked.quick else MAPS)
    figures |= {
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "peers": f"torchmetrics {version('torchmetrics')}",
    }
    for name, value in figures.items():
        print(f"{name:<26} {value}")
    print(json.dumps(figures))


def version(package: str) -> str:
    """Return the version of a package, or that it is missing."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def of_matrices(side_px: int, repetitions: int) -> dict[str, Any]:
    """Return the speeds and their ratios."""
    truth, mapped = made(side_px)
    tools = {"clairemap": clairemap()}
    if importlib.util.find_spec("torchmetrics"):
        tools |= {name: torchmetrics(*arguments) for name, arguments in PEERS.items()}
    seconds: dict[str, list[float]] = {name: [] for name in tools}
    found: dict[str, Matrices] = {}
    for tool in tools.values():
        tool.matrices(truth[:TILE_PX], mapped[:TILE_PX])  # first calls are not timed
    for _ in range(repetitions):
        for name, tool in tools.items():
            found[name], used = tool.matrices(truth, mapped)
            seconds[name].append(used)
    speed = {name: truth.size / 1e6 / median(of) for name, of in seconds.items()}
    equal = all(np.array_equal(each, found["clairemap"]) for each in found.values())
    return {
        **{f"vs_{name}": speed["clairemap"] / speed[name] if name in speed else None for name in PEERS},
        "equal": equal if len(found) > 1 else None,
        "mpx_per_s": speed["clairemap"],
        **{f"mpx_per_s_{name}": speed.get(name) for name in PEERS},
    }


@dataclass(frozen=True)
class Tool:
    """A tool that counts a tile: `prepare` converts a raster's tile to its input, which is not timed."""

    prepare: Callable[[Raster], Any]
    count: Callable[[Any, Any], Any]

    def matrices(self, truth: Raster, mapped: Raster) -> tuple[Matrices, float]:
        """Return the matrices of all tiles, and the CPU seconds of counting."""
        found, seconds = [], 0.0
        for tile in tiles((truth.shape[0], truth.shape[1]), TILE_PX):
            labels, classes = (self.prepare(raster[tile.window.slices]) for raster in (truth, mapped))
            started = time.process_time()
            counted = self.count(labels, classes)
            seconds += time.process_time() - started
            found.append(np.asarray(counted))
        return np.stack(found), seconds


def clairemap() -> Tool:
    """Return our function, which also takes views of rasters."""
    return Tool(np.ascontiguousarray, lambda truth, mapped: confusion_matrix(truth, mapped, CLASSES))


def torchmetrics(dtype: str, validate: bool) -> Tool:
    """Return torchmetrics' function with tensors of a type."""
    import torch
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    torch.set_num_threads(1)
    return Tool(
        lambda tile: torch.from_numpy(np.ascontiguousarray(tile)).to(getattr(torch, dtype)),
        lambda truth, mapped: multiclass_confusion_matrix(mapped, truth, CLASSES, validate_args=validate),
    )


def made(side_px: int) -> tuple[Raster, Raster]:
    """Return labels in patches, and a map with wrong pixels."""
    rng = np.random.default_rng(0)
    patches = rng.integers(0, CLASSES, (side_px // PATCH_PX,) * 2, dtype=np.uint8)
    truth = np.kron(patches, np.ones((PATCH_PX, PATCH_PX), np.uint8))
    mapped = truth.copy()
    wrong = rng.random(truth.shape, dtype=np.float32) < WRONG
    mapped[wrong] = rng.integers(0, CLASSES, int(wrong.sum()), dtype=np.uint8)
    return truth, mapped


def coverage(maps: int) -> dict[str, dict[str, float]]:
    """Return the share of intervals that contain the figures of the population, by number of blocks."""
    rng = np.random.default_rng(1)
    population = made_blocks(200_000, rng).sum(0)
    true = figures_of(population[0], population[1], population[2])
    found = {}
    for count in BLOCKS:
        each = [bootstrap(BlockSums(made_blocks(count, rng)), min_blocks=2) for _ in range(maps)]
        found[f"{count} blocks"] = {
            "oa": share(low <= true.oa <= high for low, high in (one.oa or (1, 0) for one in each)),
            "miou": share(low <= true.miou <= high for low, high in (one.miou or (1, 0) for one in each)),
        }
    return found


def made_blocks(count: int, rng: np.random.Generator) -> Matrices:
    """Return correct, labelled and mapped pixels of two classes in blocks, (block, 3, class)."""
    labelled = np.rint(rng.dirichlet((2.0, 1.0), count) * BLOCK_PIXELS * rng.uniform(0.1, 1, (count, 1)))
    right = np.rint(labelled * rng.beta(*ACCURACY, (count, 1)))
    mapped = right + (labelled - right)[:, ::-1]
    return np.stack([right, labelled, mapped], 1).astype(np.int64)


def share(hits: Any) -> float:  # noqa: ANN401 - an iterator of numpy's booleans
    """Return the share of true values."""
    return round(float(np.mean(list(hits))), 3)


if __name__ == "__main__":
    main()
