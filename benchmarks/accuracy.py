"""Accuracy on places that no training has seen: by sensor, loss and fusion, under clouds and with disturbed sensors.

*Floods*: six real Sentinel events. *Made*: six simulated regions with landscapes of their own, whose scenes differ in
season, air, wet soil, SAR geometry, misregistration and 8-bit stretch. *Small* (`--sets small`): eight pictures of
WHU-OPT-SAR, 256 px. Each fold holds out two events (regions, pictures) of its set. Fused, optical, sar, cross entropy,
sum and gate have several trainings with different seeds in each fold; the other variants have one. Settings are the
defaults, and `chosen`: the candidate that is best in shorter trainings, each with half of the fold's training events
held out; for both sensors and for each alone (`miou_of_candidates`: mean over these, first the defaults). Nothing is
selected on held-out places; without validation scenes the last step's weights are used.

A difference is paired: the same folds, seeds and blocks of 256 px. Figures are computed per event and averaged over the
events and seeds of a fold, then over folds; mean IoU is over the classes with labels. `_low`, `_high`: 95 % interval
from 4,000 draws of folds, in them events and seeds, in them blocks, widened for the small number of events
(`benchmarks/accuracy_intervals.py`). Better means that `_low` is above 0.

- `fused_minus_best_single`: both sensors minus the better single sensor of each fold, mean IoU; `…_worst_fold`: of
  the fold where it is smallest.
- `sar_minus_fused_full_cloud`: training on SAR alone minus fused training, mean IoU under full cloud cover, with the
  cloud mask withheld (`…_masked`: given).
- `full_cloud_masked_minus_sar_path`: fused minus SAR alone, the same network, under full cloud cover, mask given.
- `fused_minus_boosting`: both sensors minus gradient boosting of pixels with both sensors, the better normalisation of
  each fold, mean IoU; `…_worst_event`: of the event where it is smallest.
- `rift_minus_ce_miou`, `rift_minus_ce_rarest`: RIFT minus cross entropy, mean IoU and IoU of the rarest class.
- `cmaf_minus_sum`, `…_gate`, `…_early`: fusion by CMAF minus simpler fusions, mean IoU; `…_displaced`: by displacement
  of SAR in pixels; `…_under`: under clouds and with disturbed sensors.
- `variant_minus_fused`: each variant, and boosting, minus the defaults, mean IoU.
- `combined_minus_fused`: the classes of three passes of the fused network (both sensors, each alone), their
  probabilities weighted by their confidence, minus those of the pass with both sensors, mean IoU.
- `alone_minus_fused`: the variant `alone`, which is also trained to map from each sensor alone, minus the defaults,
  with both sensors and with one masked out, mean IoU.
- `share_of_disturbed`: share of the blocks in which the share of a sensor in the fused features falls when that sensor
  is disturbed; mean of gain, offset and noise of both sensors. `shares`: each, unseen cloud and displaced SAR;
  `shares_misleading`: of the variant `misleading`, which is trained with misleading sensors and a loss of the gate;
  `misleading_minus_fused`: its mean IoU minus that of the defaults under each condition.
- `ece_unseen`: calibration error on held-out events with the temperature of the training; `…_inner`: with the one that
  suits the events held out in the choice of settings; `…_plain`: with temperature 1.
- `conformal_coverage`: share of the pixels of held-out events whose label is in a set of classes that aims at .9;
  `conformal_size`: classes in it; the sets are calibrated on the events held out in the choice of settings.
  `…_before`: the sets rely on the probabilities alone; `…_worst`: the lowest of an event and training.
- `rank_agreement`: Spearman's correlation of the variants' mean IoU on made and real places.
- `miou`: by variant, and of boosting; `miou_views`: the fused network, and with one sensor masked out;
  `miou_conditions`: mean IoU under each condition, by view, on fewer windows.
- `cpu_hours`: of all trainings of networks and their scoring, one thread each.

Scored are labelled pixels that both sensors see, in windows of 512 px, also under painted clouds. The clouds are
painted as in the training crops; real clouds differ. Displaced SAR is moved in one of four directions. A disturbed
sensor has half or twice its contrast, is brighter or darker by one standard deviation of the training scenes, or has
noise of one standard deviation (SAR: speckle of one look). Clouds and disturbances are local: with `normalisation:
scene` the moments are those of the unchanged scene. Boosting (150 iterations) has each band and its mean over 7 x 7
pixels as features, and 40,000 random pixels of each training scene; its bands are as stored (`boosting`), or with
`normalisation: scene` (`boosting scene`). Without scikit-learn (`pip install -c constraints.txt -e '.[bench]'`) its
figures are null.

Prints tables, and as its last line one JSON object. Finished trainings of the same code are not repeated.

    python benchmarks/accuracy.py --data FOLDER_WITH_REAL_SCENES
    python benchmarks/accuracy.py --sets made --variants fused sum --seeds 1
    python benchmarks/accuracy.py --quick
"""

import argparse
import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from accuracy_boosting import PEER, baselines
from accuracy_choices import Chosen, choices, sensors_of
from accuracy_conditions import CONDITIONS
from accuracy_figures import Scoring, rounded
from accuracy_intervals import rank_correlation
from accuracy_places import ABLATIONS, ALL_VARIANTS, EVENTS, FOLDS, REPEATED, VARIANTS, merged
from accuracy_report import Trained, report
from accuracy_runs import CODE, PROJECT, Task
from accuracy_scenes import REAL, prepare
from accuracy_trainings import Trainings

import clairemap
from clairemap.outputs import FUSED

QUICK_STEPS = 2
ALL_CONDITIONS = tuple(name for name in CONDITIONS if name != "clear")


def main() -> None:
    """Run the benchmark."""
    parser = common_parser(__doc__, list(EVENTS), ["floods", "made"])
    parser.add_argument("--seeds", type=int, default=3, help=f"trainings in each fold of {', '.join(REPEATED)}")
    parser.add_argument(
        "--variants",
        nargs="+",
        choices=list(ALL_VARIANTS),
        default=list(VARIANTS),
        help=f"beside fused; by default all but {', '.join(ABLATIONS)}",
    )
    parser.add_argument("--windows", type=int, default=12, help="scored windows of each test scene")
    options = prepared_options(parser, quick_set="quick")
    options.variants = list(dict.fromkeys([FUSED, *options.variants]))
    if options.quick:
        options.seeds = 1
        options.variants = [
            name for name in options.variants if name not in ABLATIONS
        ]  # they need more scenes or steps
    trainings = Trainings(options.work, options.jobs)
    figures, trained = {}, {}
    for places in options.sets:
        chosen = choices(places, options, trainings)
        trained[places] = networks(places, chosen, options, trainings)
        figures[places] = report(places, {**trained[places], **baselines(places, options)}, chosen)
    agreement = rank_agreement(trained)
    print(f"\nrank agreement of made and real places over {len(options.variants)} variants: {agreement}")
    print(f"{trainings.hours:.1f} CPU hours")
    run = {"steps": options.steps, "seeds": options.seeds, "cpu_hours": trainings.hours}
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


def networks(places: str, chosen: Chosen, options: argparse.Namespace, trainings: Trainings) -> Trained:
    """Return the networks of all variants on a set of places; all variants are trained with a seed before the next."""
    folds = FOLDS[places]
    seeds = {variant: range(options.seeds if variant in REPEATED else 1) for variant in options.variants}
    tasks = {
        (variant, number, seed): Task(
            fold,
            seed * len(folds) + number,
            options.steps,
            merged(chosen.changes[sensors_of(variant)][number], ALL_VARIANTS[variant]),
            options.windows,
            ALL_CONDITIONS if sensors_of(variant) == FUSED else (),
        )
        for seed in range(options.seeds)
        for variant in options.variants
        if seed in seeds[variant]
        for number, fold in enumerate(folds)
    }
    found = dict(zip(tasks, trainings.results(tasks.values()), strict=True))
    return {
        variant: [[found[variant, number, seed] for seed in seeds[variant]] for number in range(len(folds))]
        for variant in options.variants
    }


def rank_agreement(trained: Mapping[str, Trained]) -> float | None:
    """Return the rank correlation of the variants on made and real places; None without both or two variants."""
    if not {"floods", "made"} <= set(trained) or len(trained["made"]) < 2:
        return None
    return rank_correlation(
        *([Scoring(each).miou() for each in trained[places].values()] for places in ("made", "floods"))
    )


def worst(figures: Mapping[str, Mapping[str, Any]]) -> dict[str, float | None]:
    """Return the main figures, each from the set of places where it is worst."""
    lowest = (
        "fused_minus_best_single",
        "fused_minus_boosting",
        "cmaf_minus_sum",
        "rift_minus_ce_miou",
        "rift_minus_ce_rarest",
    )
    keys = {key: min for name in lowest for key in (name, f"{name}_low")}
    keys |= {"fused_minus_best_single_worst_fold": min, "fused_minus_boosting_worst_event": min}
    keys |= {"share_of_disturbed": min, "sar_minus_fused_full_cloud": max}
    keys |= {"sar_minus_fused_full_cloud_masked": max, "ece_unseen": max}
    found: dict[str, float | None] = {}
    for key, worse in keys.items():
        known = [each[key] for each in figures.values() if each.get(key) is not None]
        found[key] = worse(known) if known else None
    return found


def machine() -> dict[str, str | None]:
    """Return the versions used."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "clairemap": clairemap.__version__,
        "peers": PEER,
        "code": CODE[:12],
    }


if __name__ == "__main__":
    main()
