"""Baseline of the accuracy benchmark: gradient boosting of single pixels and their surroundings, with both sensors.

Features are the bands and their means over the usable pixels of 7 x 7, in each window of 512 px. Training pixels are
drawn from the labelled pixels of each training scene that both sensors see. Scored are the windows of the networks.
"""

import argparse
import importlib.util
import sys
import time
from collections.abc import Mapping, Sequence
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
from clairemap.console import progress
from clairemap.outputs import FUSED
from clairemap.provenance import json_digest, stage_code
from clairemap.raster.store import open_store
from clairemap.tiles.dataset import TrainingSample

MEAN_PX, SCENE_PIXELS = 7, 40_000
ITERATIONS, QUICK_ITERATIONS = 150, 5
BASELINES: Mapping[str, Changes] = {"boosting": {}, "boosting scene": {"training": {"normalisation": "scene"}}}
"""Settings of each baseline that differ from the defaults: bands as stored, or normalised by the scene's moments."""

Features = NDArray[np.float32]
Classes = NDArray[np.uint8]


def baselines(places: str, options: argparse.Namespace) -> dict[str, Networks]:
    """Return the counts of the baselines on a set of places, by fold and seed; empty without scikit-learn."""
    if importlib.util.find_spec("sklearn") is None:
        print("scikit-learn is missing: no gradient boosting")
        return {}
    folds = FOLDS[places]
    iterations = QUICK_ITERATIONS if options.quick else ITERATIONS
    tasks = {
        (name, number, seed): Task(fold, seed * len(folds) + number, iterations, changes, options.windows)
        for name, changes in BASELINES.items()
        for number, fold in enumerate(folds)
        for seed in range(options.seeds)
    }
    found = {key: kept(task, options.work) for key, task in progress(tasks.items(), "gradient boosting", len(tasks))}
    return {
        name: [[found[name, number, seed] for seed in range(options.seeds)] for number in range(len(folds))]
        for name in BASELINES
    }


def kept(task: Task, work: Path) -> Counts:
    """Return the result of a task from its file, which is written if the same code has not run it on these data."""
    digest = json_digest([task.digest, data_digest(work, task.fold), stage_code(Path(__file__))])
    path = work / "results" / CODE / f"{task.fold.name.replace(' ', '_')}-{task.seed}-boosting-{digest}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fitted_and_scored(task, work).write(path)
    return Counts.read(path)


def fitted_and_scored(task: Task, work: Path) -> Counts:
    """Fit a baseline to the fold's training scenes and score it on its test scenes; `task.steps` are iterations."""
    job = job_of(task.fold, settings_of(task.fold, work, task.changes, task.steps, task.seed), work)
    scenes = {name: TestScene(name, open_store(path), job) for name, path in job.stores.items()}
    started, random = time.process_time(), np.random.default_rng(task.seed)
    model = fitted([drawn(scenes[name], random) for name in task.fold.train], task)
    fitting_s, started = time.process_time() - started, time.process_time()
    classes = len(job.settings.legend.classes)
    blocks, arrays = gathered({name: scored(model, scenes[name], task, classes) for name in task.fold.test})
    about = {"fold": task.fold.name, "view": FUSED, "class_px": list(job.statistics.class_px), "parameters": 0}
    about |= {"training_s": fitting_s, "scoring_s": time.process_time() - started}
    return Counts(about, tuple(blocks), arrays)


def drawn(scene: TestScene, random: np.random.Generator, most: int = SCENE_PIXELS) -> tuple[Features, Classes]:
    """Return features and classes of at most `most` labelled pixels of a scene, all with the same probability."""
    windows = scene.windows(sys.maxsize)
    batches = (scene.batch(window, number, CLEAR) for number, window in enumerate(windows))
    counts = [int((batch.target != IGNORE_INDEX).sum()) for batch in batches]
    found = []
    shares = random.multivariate_hypergeometric(counts, min(most, sum(counts)), method="marginals")
    for number, (window, share) in enumerate(zip(windows, shares, strict=True)):
        features, classes = pixels(scene.batch(window, number, CLEAR))
        chosen = random.choice(len(classes), share, replace=False)
        found.append((features[chosen], classes[chosen]))
    return joined(found)


def pixels(batch: TrainingSample) -> tuple[Features, Classes]:
    """Return features (pixel, feature) and classes (pixel,) of the labelled pixels of a batch of one."""
    layers = []
    for bands, usable in ((batch.optical, batch.optical_weight), (batch.sar, batch.sar_weight)):
        sums, share = (avg_pool2d(each, MEAN_PX, 1, MEAN_PX // 2) for each in (bands * usable, usable))
        layers += [bands, sums / share.clamp(min=1 / MEAN_PX**2)]
    known = batch.target[0] != IGNORE_INDEX
    return torch.cat(layers, 1)[0, :, known].T.numpy(), indices(batch.target)[known.numpy()]


def joined(parts: Sequence[tuple[Features, Classes]]) -> tuple[Features, Classes]:
    """Return the pixels of several windows or scenes."""
    return np.concatenate([features for features, _ in parts]), np.concatenate([classes for _, classes in parts])


def fitted(scenes: Sequence[tuple[Features, Classes]], task: Task) -> Any:  # noqa: ANN401 - a scikit-learn classifier
    """Return the classifier fitted to the pixels of all training scenes."""
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415 - may be missing

    return HistGradientBoostingClassifier(max_iter=task.steps, random_state=task.seed).fit(*joined(scenes))


def scored(model: Any, scene: TestScene, task: Task, classes: int) -> list[Scored]:  # noqa: ANN401
    """Return the counts of a scene's windows, by block."""
    found = []
    for number, window in enumerate(scene.windows(task.windows)):
        batch = scene.batch(window, number, CLEAR)
        truth = indices(batch.target)
        mapped = np.zeros_like(truth)
        mapped[truth != IGNORE_INDEX] = model.predict(pixels(batch)[0])
        found.append(Scored(window, {f"confusion {CLEAR.name} {FUSED}": block_matrices(truth, mapped, classes)}))
    return found
