"""Baseline of the accuracy benchmark: gradient boosting of pixels with both sensors, see `accuracy.py`."""

import argparse
import importlib.metadata
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accuracy_conditions import CLEAR
from accuracy_counts import Counts, block_matrices
from accuracy_figures import Networks
from accuracy_places import FOLDS, Changes
from accuracy_runs import CODE, Scored, Task, TestScene, gathered, indices, job_of, settings_of
from accuracy_trainings import data_digest
from numpy.typing import NDArray
from torch.nn.functional import avg_pool2d

from clairemap.classes import IGNORE_INDEX
from clairemap.outputs import FUSED
from clairemap.provenance import json_digest, stage_code
from clairemap.raster.store import open_store
from clairemap.tiles.dataset import TrainingSample

MEAN_PX, PIXELS_OF_SCENE = 7, 40_000
ITERATIONS, QUICK_ITERATIONS = 150, 5
BASELINES: Mapping[str, Changes] = {"boosting": {}, "boosting scene": {"training": {"normalisation": "scene"}}}
"""Settings of each baseline that differ from the defaults: bands as stored, or normalised by the scene's moments."""

PEER = next((f"scikit-learn {each.version}" for each in importlib.metadata.distributions(name="scikit-learn")), None)
"""Name and version of the package; None if it is missing."""

Pixels = tuple[NDArray[np.float32], NDArray[np.uint8]]
"""Features (pixel, feature) and classes (pixel,)."""


def baselines(places: str, options: argparse.Namespace) -> dict[str, Networks]:
    """Return the counts of the baselines on a set of places; empty without scikit-learn."""
    if PEER is None:
        print("scikit-learn is missing: no gradient boosting")
        return {}
    folds, seeds = FOLDS[places], range(options.seeds)
    iterations = QUICK_ITERATIONS if options.quick else ITERATIONS

    def result(changes: Changes, number: int, seed: int) -> Counts:
        task = Task(folds[number], seed * len(folds) + number, iterations, changes, options.windows)
        return kept(task, options.work)

    return {
        name: [[result(changes, number, seed) for seed in seeds] for number in range(len(folds))]
        for name, changes in BASELINES.items()
    }


def kept(task: Task, work: Path) -> Counts:
    """Return the result of a task; results of the same code and data are kept in a file."""
    digest = json_digest([task.digest, data_digest(work, task.fold), stage_code(Path(__file__))])
    path = work / "results" / CODE / f"{task.fold.name.replace(' ', '_')}-{task.seed}-boosting-{digest}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fitted_and_scored(task, work).write(path)
    return Counts.read(path)


def fitted_and_scored(task: Task, work: Path) -> Counts:
    """Fit a baseline to the fold's training scenes and score it on its test scenes; `task.steps` are iterations."""
    started, random = time.process_time(), np.random.default_rng(task.seed)
    job = job_of(task.fold, settings_of(task.fold, work, task.changes, task.steps, task.seed), work)
    scenes = {name: TestScene(name, open_store(path), job) for name, path in job.stores.items()}
    model = fitted([part for name in task.fold.train for part in drawn(scenes[name], random)], task)
    classes = len(job.settings.legend.classes)
    blocks, arrays = gathered({name: scored(model, scenes[name], task, classes) for name in task.fold.test})
    about = {"fold": task.fold.name, "view": FUSED, "parameters": 0, "cpu_s": time.process_time() - started}
    return Counts(about, tuple(blocks), arrays)


def drawn(scene: TestScene, random: np.random.Generator, most: int = PIXELS_OF_SCENE) -> Iterator[Pixels]:
    """Yield at most `most` labelled pixels of a scene, all with the same probability, by window."""
    windows = list(enumerate(scene.windows(sys.maxsize)))
    labelled = [int((scene.batch(window, number, CLEAR).target != IGNORE_INDEX).sum()) for number, window in windows]
    shares = random.multivariate_hypergeometric(labelled, min(most, sum(labelled)), method="marginals")
    for (number, window), share in zip(windows, shares, strict=True):
        features, classes = pixels(scene.batch(window, number, CLEAR))
        chosen = random.choice(len(classes), share, replace=False)
        yield features[chosen], classes[chosen]


def pixels(batch: TrainingSample) -> Pixels:
    """Return the labelled pixels of a batch of one: bands, and their means over the usable pixels around in it."""
    layers = []
    for bands, usable in ((batch.optical, batch.optical_weight), (batch.sar, batch.sar_weight)):
        sums, shares = (avg_pool2d(each, MEAN_PX, 1, MEAN_PX // 2) for each in (bands * usable, usable))
        layers += [bands, sums / shares.clamp(min=1 / MEAN_PX**2)]
    known = batch.target[0] != IGNORE_INDEX
    return torch.cat(layers, 1)[0, :, known].T.numpy(), indices(batch.target)[known.numpy()]


def fitted(parts: Sequence[Pixels], task: Task) -> Any:  # noqa: ANN401 - a classifier of scikit-learn
    """Return the classifier of the pixels."""
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415 - may be missing

    features, classes = (np.concatenate(layer) for layer in zip(*parts, strict=True))
    return HistGradientBoostingClassifier(max_iter=task.steps, early_stopping=False, random_state=task.seed).fit(
        features, classes
    )


def scored(model: Any, scene: TestScene, task: Task, classes: int) -> list[Scored]:  # noqa: ANN401
    """Return the counts of a scene's windows."""
    found = []
    for number, window in enumerate(scene.windows(task.windows)):
        batch = scene.batch(window, number, CLEAR)
        truth = indices(batch.target)
        mapped = np.zeros_like(truth)
        mapped[truth != IGNORE_INDEX] = model.predict(pixels(batch)[0])
        found.append(Scored(window, {f"confusion {CLEAR.name} {FUSED}": block_matrices(truth, mapped, classes)}))
    return found
