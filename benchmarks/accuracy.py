"""Accuracy on places that no training has seen: by sensor, loss and fusion, under clouds and with disturbed sensors.

*Floods*: six real Sentinel events. *Made*: six simulated regions with landscapes of their own, whose scenes differ in
season, air, wet soil, SAR geometry, misregistration and 8-bit stretch. *Small* (`--sets small`): eight pictures of
WHU-OPT-SAR, 256 px. Each fold holds out two events (regions, pictures) of its set; it has several trainings with
different seeds. Settings are the defaults, and `chosen`: the
candidate that is best in shorter trainings, each with half of the fold's training events held out; for both sensors and
for each alone. Nothing is selected on held-out places; without validation scenes the last step's weights are used.

A difference is paired: the same folds, seeds and blocks of 256 px. Figures are computed per event and averaged over the
events and seeds of a fold, then over folds; mean IoU is over the classes with labels. `_low`, `_high`: 95 % interval
from 4,000 draws of folds, in them events and seeds, in them blocks, widened for the small number of events
(`benchmarks/accuracy_intervals.py`). Better means that `_low` is above 0.

- `fused_minus_best_single`: both sensors minus the better single sensor of each fold, mean IoU; `_by_fold`.
- `sar_minus_fused_full_cloud`: training on SAR alone minus fused training, mean IoU under full cloud cover, with the
  cloud mask withheld (`…_masked`: given).
- `full_cloud_masked_minus_sar_path`: fused minus SAR alone, the same network, under full cloud cover, mask given.
- `rift_minus_ce_miou`, `rift_minus_ce_rarest`: RIFT minus cross entropy, mean IoU and IoU of the rarest class.
- `cmaf_minus_sum`, `…_gate`, `…_early`: fusion by CMAF minus simpler fusions, mean IoU; `…_displaced`: by displacement
  of SAR in pixels.
- `variant_minus_fused`: each variant minus the defaults, mean IoU.
- `share_of_disturbed`: share of the blocks in which the share of a sensor in the fused features falls when that sensor
  is disturbed; mean of gain, offset and noise of both sensors. `shares`: each, unseen cloud and displaced SAR.
- `ece_unseen`: calibration error on held-out events with the temperature of the training; `…_inner`: with the one that
  suits the events held out in the choice of settings; `…_plain`: with temperature 1.
- `rank_agreement`: Spearman's correlation of the variants' mean IoU on made and real places.
- `miou`: by variant; `miou_views`: the fused network, and with one sensor masked out; `miou_conditions`: mean IoU under
  each condition, by view, on fewer windows.
- `cpu_hours`: of all trainings and their scoring, one thread each.

Scored are labelled pixels that both sensors see, in windows of 512 px, also under painted clouds. The clouds are
painted as in the training crops; real clouds differ. Displaced SAR is moved in one of four directions. A disturbed
sensor has half or twice its contrast, is brighter or darker by one standard deviation of the training scenes, or has
noise of one standard deviation (SAR: speckle of one look).

Prints tables, and as its last line one JSON object. Finished trainings of the same code are not repeated.

    python benchmarks/accuracy.py --data FOLDER_WITH_REAL_SCENES
    python benchmarks/accuracy.py --sets made --variants fused sum --seeds 1
    python benchmarks/accuracy.py --quick
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accuracy_conditions import CONDITIONS
from accuracy_counts import Counts
from accuracy_figures import (
    OVERCAST_MASKED,
    Networks,
    Scoring,
    calibration,
    compared,
    displacement_curves,
    ends,
    rounded,
    shares,
    under_conditions,
    variants_minus_fused,
    with_ends,
)
from accuracy_intervals import rank_correlation
from accuracy_places import CHOICES, EVENTS, FOLDS, VARIANTS, Changes, inner_folds, merged
from accuracy_runs import CODE, Task
from accuracy_scenes import PROJECT, REAL, prepare

import clairemap
from clairemap.console import progress
from clairemap.outputs import FUSED
from clairemap.provenance import file_digest, json_digest
from clairemap.settings import VIEWS

QUICK_STEPS = 2
ALL_CONDITIONS = tuple(name for name in CONDITIONS if name != "clear")
INNER_SEED = 7
Trained = Mapping[str, Networks]
"""The networks of each variant."""


def main() -> None:
    """Run the benchmark."""
    parser = common_parser(__doc__, list(EVENTS), ["floods", "made"])
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each variant and fold")
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS), help="beside fused")
    parser.add_argument("--windows", type=int, default=12, help="scored windows of each test scene")
    options = prepared_options(parser, quick_set="quick")
    options.variants = list(dict.fromkeys(["fused", *options.variants]))
    if options.quick:
        options.seeds = 1
    figures, trained, all_counts = {}, {}, []
    for places in options.sets:
        chosen, inner = choices(places, options)
        trained[places] = networks(places, chosen, options)
        figures[places] = {**report(places, trained[places], inner), "chosen": as_text(chosen)}
        all_counts += [*flat(trained[places].values()), *flat([inner])]
    agreement = rank_agreement(trained)
    print(f"\nrank agreement of made and real places over {len(options.variants)} variants: {agreement}")
    hours = sum(counts.about["training_s"] + counts.about["scoring_s"] for counts in all_counts) / 3600
    print(f"{hours:.1f} CPU hours")
    run = {"steps": options.steps, "seeds": options.seeds, "cpu_hours": hours}
    print(json.dumps(rounded({**worst(figures), "rank_agreement": agreement, **run, "sets": figures, **machine()})))


def common_parser(description: str | None, sets: Sequence[str], default: Sequence[str]) -> argparse.ArgumentParser:
    """Return a parser with the options of all benchmarks that train on these scenes."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with the real scenes; not needed for made ones")
    parser.add_argument(
        "--work", type=Path, default=PROJECT / "work" / "benchmarks_accuracy", help="folder for the runs"
    )
    parser.add_argument("--steps", type=int, default=400, help="optimiser steps of each training")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="parallel trainings, one core each")
    parser.add_argument("--sets", nargs="+", choices=sets, default=default, help="places")
    parser.add_argument("--quick", action="store_true", help="two small made scenes, few steps: a test run")
    return parser


def prepared_options(parser: argparse.ArgumentParser, quick_set: str) -> argparse.Namespace:
    """Return the options of the command line, with all scenes prepared; with --quick the only set is `quick_set`."""
    options = parser.parse_args()
    options.work = options.work.resolve()
    if options.quick:
        options.sets, options.steps = [quick_set], QUICK_STEPS
    elif set(options.sets) & set(REAL) and options.data is None:
        parser.error("--data is required for real scenes; without it use --sets made")
    for places in ["quick"] if options.quick else options.sets:
        prepare(options.work, places, options.data)
    return options


def choices(places: str, options: argparse.Namespace) -> tuple[dict[str, list[Changes]], list[list[Counts]]]:
    """Return the best candidate of each fold by the sensors of a network, and the fused networks that found theirs.

    It has the highest mean IoU on the fold's own training events, each held out in one of the inner folds.
    """
    candidates, folds = CHOICES.get(places, ()), FOLDS[places]
    kinds = list(dict.fromkeys(map(sensors_of, options.variants)))
    steps = max(options.steps // 2, 1)
    tasks = {
        (sensors, number, index, inner.name): Task(
            inner, INNER_SEED, steps, merged({"network": {"sensors": sensors}}, candidate), options.windows
        )
        for sensors in kinds
        for number, fold in enumerate(folds)
        for index, candidate in enumerate(candidates)
        for inner in inner_folds(fold)
    }
    found = dict(zip(tasks, results_of(list(tasks.values()), options), strict=True))
    chosen: dict[str, list[Changes]] = {sensors: [] for sensors in kinds}
    best_fused: list[list[Counts]] = []
    for sensors, (number, fold) in product(kinds, enumerate(folds)):
        inner = [
            [counts for key, counts in found.items() if key[:3] == (sensors, number, index)]
            for index in range(len(candidates))
        ]
        reached = [Scoring([[counts] for counts in each]).miou() for each in inner]
        best = int(np.argmax(reached)) if reached else None
        chosen[sensors].append({} if best is None else candidates[best])
        if sensors == FUSED:
            best_fused.append([] if best is None else inner[best])
        scores = ", ".join(f"{json.dumps(each)} {score:.3f}" for each, score in zip(candidates, reached, strict=True))
        print(f"{fold.name}, {sensors}: {json.dumps(chosen[sensors][-1])}, by its training events ({scores})")
    return chosen, best_fused


def sensors_of(variant: str) -> str:
    """Return the sensors that a variant is trained on."""
    return str(VARIANTS[variant].get("network", {}).get("sensors", FUSED))


def networks(places: str, chosen: Mapping[str, Sequence[Changes]], options: argparse.Namespace) -> Trained:
    """Return the networks of all variants on a set of places; all variants are trained with a seed before the next."""
    folds = FOLDS[places]
    tasks = {
        (variant, number, seed): Task(
            fold,
            seed * len(folds) + number,
            options.steps,
            merged(chosen[sensors_of(variant)][number], VARIANTS[variant]),
            options.windows,
            ALL_CONDITIONS if sensors_of(variant) == FUSED else (),
        )
        for seed in range(options.seeds)
        for variant in options.variants
        for number, fold in enumerate(folds)
    }
    found = dict(zip(tasks, results_of(list(tasks.values()), options), strict=True))
    return {
        variant: [[found[variant, number, seed] for seed in range(options.seeds)] for number in range(len(folds))]
        for variant in options.variants
    }


def results_of(tasks: Sequence[Task], options: argparse.Namespace) -> Iterator[Counts]:
    """Run the trainings without a result in parallel, and yield all results in order."""

    def done(task: Task) -> Counts:
        name = f"{task.fold.name.replace(' ', '_')}-{task.seed}-{task.digest}-{data_digest(task, options.work)}.npz"
        path = options.work / "results" / CODE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            command = [sys.executable, str(PROJECT / "benchmarks" / "accuracy_runs.py"), "--work", options.work]
            log = path.with_suffix(".log")
            with log.open("w") as file:
                file.write(json.dumps(asdict(task)) + "\n")
                file.flush()
                outcome = subprocess.run(
                    [*command, "--task", json.dumps(asdict(task)), "--result", path],
                    env={**os.environ, "OMP_NUM_THREADS": "1"},
                    check=False,
                    stdout=file,
                    stderr=file,
                )
            if outcome.returncode:
                raise SystemExit(f"{task.fold.name}, {task.changes} failed; see {log}")
        return Counts.read(path)

    with ThreadPoolExecutor(options.jobs) as pool:
        yield from progress(pool.map(done, tasks), "trainings", len(tasks))


def data_digest(task: Task, work: Path) -> str:
    """Return a hash of the scenes of a task."""
    scenes = work / task.fold.prepared / "work" / "scenes"
    return json_digest([file_digest(scenes / name / "pair.json") for name in (*task.fold.train, *task.fold.test)])


def as_text(chosen: Mapping[str, Sequence[Changes]]) -> dict[str, list[str]]:
    """Return the chosen settings as text."""
    return {sensors: [json.dumps(each) for each in folds] for sensors, folds in chosen.items()}


def flat(variants: Any) -> list[Counts]:  # noqa: ANN401 - networks by variant
    """Return all networks."""
    return [counts for folds in variants for seeds in folds for counts in seeds]


def report(places: str, of: Trained, inner: Networks) -> dict[str, Any]:
    """Print the tables of a set of places and return its figures."""
    fused = of["fused"]
    differences = compared(of)
    curves = displacement_curves(of)
    print(f"\n{places}: mIoU on held-out places, {len(fused)} folds, {len(fused[0])} trainings each")
    print(f"{'variant':<16}{'mIoU':>8}{'million weights':>18}   by fold")
    for name, each in of.items():
        scores = Scoring(each).miou_by_fold()
        weights = each[0][0].about["parameters"] / 1e6
        print(f"{name:<16}{np.mean(scores):>8.3f}{weights:>18.2f}   {', '.join(f'{score:.3f}' for score in scores)}")
    print("differences, 95 % interval, by fold")
    ablations = variants_minus_fused(of)
    points = {f"{name} {px}": found for name, curve in curves.items() for px, found in curve.items()}
    points |= {f"{name} minus fused": found for name, found in ablations.items()}
    for key, found in {**differences, **points}.items():
        listed = ", ".join(f"{value:+.3f}" for value in found.folds)
        print(f"  {key:<36}{found.value:+.3f}  [{found.low:+.3f}, {found.high:+.3f}]   {listed}")
    views = {view: Scoring(fused, view=view).miou() for view in VIEWS}
    conditions = {view: under_conditions(fused, seen_by(view), view) for view in VIEWS}
    print("one network: " + ", ".join(f"{view} {score:.3f}" for view, score in views.items()))
    for name in conditions[FUSED]:
        row = (f"{view} {each[name]:.3f}" for view, each in conditions.items() if name in each)
        print(f"  {name:<28}{', '.join(row)}")
    falls = shares(fused)
    errors = calibration(fused, inner)
    print(f"share of the disturbed sensor falls in: {falls}")
    print(f"calibration error: {errors}")
    return {
        **{key: value for name, found in differences.items() for key, value in with_ends(name, found).items()},
        **errors,
        "share_of_disturbed": falls["mean"],
        "full_cloud_masked_minus_sar_path": Scoring(fused, OVERCAST_MASKED).miou()
        - Scoring(fused, view="sar", only=OVERCAST_MASKED).miou(),
        "by_fold": {name: list(found.folds) for name, found in differences.items()},
        **{name: {px: ends(found) for px, found in curve.items()} for name, curve in curves.items()},
        "variant_minus_fused": {name: ends(found) for name, found in ablations.items()},
        "shares": falls,
        "miou": {name: Scoring(each).miou() for name, each in of.items()},
        "miou_views": views,
        "miou_conditions": conditions,
    }


def seen_by(view: str) -> list[Any]:
    """Return the conditions that change what a view sees."""
    return [each for name, each in CONDITIONS.items() if name != "clear" and view in each.seen_by]


def rank_agreement(trained: Mapping[str, Trained]) -> float | None:
    """Return the rank correlation of the variants on made and real places; None without both or two variants."""
    if not {"floods", "made"} <= set(trained) or len(trained["made"]) < 2:
        return None
    return rank_correlation(
        *([Scoring(each).miou() for each in trained[places].values()] for places in ("made", "floods"))
    )


def worst(figures: Mapping[str, Mapping[str, Any]]) -> dict[str, float | None]:
    """Return the main figures, each from the set of places where it is worst."""
    lowest = ("fused_minus_best_single", "cmaf_minus_sum", "rift_minus_ce_miou", "rift_minus_ce_rarest")
    keys = {key: min for name in lowest for key in (name, f"{name}_low")}
    keys |= {"share_of_disturbed": min, "sar_minus_fused_full_cloud": max}
    keys |= {"sar_minus_fused_full_cloud_masked": max, "ece_unseen": max}
    found: dict[str, float | None] = {}
    for key, worse in keys.items():
        known = [each[key] for each in figures.values() if each.get(key) is not None]
        found[key] = worse(known) if known else None
    return found


def machine() -> dict[str, str]:
    """Return the versions used."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "clairemap": clairemap.__version__,
        "code": CODE[:12],
    }


if __name__ == "__main__":
    main()
