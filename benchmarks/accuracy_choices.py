"""Choice of settings on training places alone."""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from accuracy_counts import Counts
from accuracy_figures import Networks, Scoring
from accuracy_places import ALL_VARIANTS, CHOICES, FOLDS, Changes, inner_folds, merged
from accuracy_runs import Task
from accuracy_trainings import Trainings

from clairemap.outputs import FUSED

INNER_SEED = 7


@dataclass(frozen=True)
class Chosen:
    """The settings chosen for each fold, by the sensors of a network; `fused`: trainings of both sensors with theirs.

    `reached`: mean IoU of each candidate, by sensors and fold. Without candidates all are empty for each fold.
    """

    changes: Mapping[str, Sequence[Changes]]
    reached: Mapping[str, Sequence[Sequence[float]]]
    fused: Networks


def choices(places: str, options: argparse.Namespace, trainings: Trainings) -> Chosen:
    """Return the best candidate of each fold for networks of both sensors and of each alone.

    It has the highest mean IoU on the fold's own training events, each held out in one of the inner folds.
    """
    candidates, folds = CHOICES.get(places, ()), FOLDS[places]
    kinds = list(dict.fromkeys(map(sensors_of, options.variants)))
    tasks = {
        (sensors, number, index, inner.name): Task(
            inner,
            INNER_SEED,
            max(options.steps // 2, 1),
            merged({"network": {"sensors": sensors}}, candidate),
            options.windows,
        )
        for sensors, (number, fold) in product(kinds, enumerate(folds))
        for index, candidate in enumerate(candidates)
        for inner in inner_folds(fold)
    }
    found = dict(zip(tasks, trainings.results(tasks.values()), strict=True))
    changes: dict[str, list[Changes]] = {sensors: [] for sensors in kinds}
    reached: dict[str, list[list[float]]] = {sensors: [] for sensors in kinds}
    fused: list[list[Counts]] = []
    for sensors, (number, fold) in product(kinds, enumerate(folds)):
        inner = [
            [counts for key, counts in found.items() if key[:3] == (sensors, number, index)]
            for index in range(len(candidates))
        ]
        reached[sensors].append([Scoring([[counts] for counts in each]).miou() for each in inner])
        best = int(np.argmax(reached[sensors][-1])) if candidates else None
        changes[sensors].append({} if best is None else candidates[best])
        if sensors == FUSED:
            fused.append([] if best is None else inner[best])
        scored = zip(candidates, reached[sensors][-1], strict=True)
        scores = ", ".join(f"{json.dumps(each)} {score:.3f}" for each, score in scored)
        print(f"{fold.name}, {sensors}: chosen {json.dumps(changes[sensors][-1])} of {scores or 'no candidates'}")
    return Chosen(changes, reached, fused)


def sensors_of(variant: str) -> str:
    """Return the sensors that a variant is trained on."""
    return str(ALL_VARIANTS[variant].get("network", {}).get("sensors", FUSED))
