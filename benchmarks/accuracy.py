"""Accuracy on held-out areas: by sensor, under painted clouds, by loss and by fusion.

*Floods*: six real Sentinel events, each held out once in one of three trainings. *Made*: three simulated regions, each
with a test scene that does not overlap the training scenes. The trainings have different seeds. Lists are values of
the three trainings, other figures their means.

- `fused_minus_best_single`: both sensors minus the better single sensor of each training, mean IoU.
- `sar_minus_fused_full_cloud`: training on SAR alone minus fused training, mean IoU under full cloud cover, with the
  cloud mask withheld (`…_masked`: given).
- `full_cloud_masked_minus_sar_path`: fused minus SAR alone, the same network, under full cloud cover, mask given.
- `rift_minus_ce_miou`, `rift_minus_ce_rarest`: RIFT minus cross entropy, mean IoU and IoU of the rarest class.
- `cmaf_minus_sum`, `cmaf_minus_early`: fusion by CMAF minus fusion `sum` and minus fusion `early`, mean IoU.
- `miou_clouds`: mean IoU by share of the scene under clouds, with the mask given (masked) or withheld (unmasked).

The last step's weights are used, so that nothing is selected on test areas. Labelled pixels that both sensors see are
scored, also under painted clouds. The clouds are painted as in the training crops; real clouds differ. Settings are
the defaults, except `gain` for the floods, whose images have individual contrast stretches. Three gains (0, 0.5, 1) are
compared in shorter trainings, each with half of the fold's training events held out; the best one is used.

Prints tables, and as its last line one JSON object. Finished trainings of the same code are not repeated.

    python benchmarks/accuracy.py --data FOLDER_WITH_FLOOD_SCENES
    python benchmarks/accuracy.py --quick
"""

import argparse
import json
import math
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

import torch
import yaml
from accuracy_runs import (
    CLEAR,
    CODE,
    FOLDS,
    GAINS,
    MADE,
    MASKED,
    QUICK_STEPS,
    UNMASKED,
    VARIANTS,
    Condition,
    Fold,
    Result,
)

import clairemap
from clairemap.console import progress

PROJECT = Path(__file__).parents[1]
QUICK_PX = 256
Results = dict[tuple[str, str], list[Result]]
"""The results of each set of places and variant, one per fold."""


class Training(NamedTuple):
    """One training: set of places, number of the fold, variant, steps, gain."""

    places: str
    fold: int
    variant: str
    steps: int
    gain: float


def main() -> None:
    """Run the benchmark."""
    options = prepared_options(common_parser(__doc__, ["floods", "made"]), quick_set="quick")
    steps = options.steps
    gains = {places: [0.0] * len(FOLDS[places]) for places in ("quick", "made")}
    gains["floods"] = chosen_gains(options, steps // 2)
    results = all_results(options, steps, gains)
    figures = {places: {**report(places, results), "gain": gains[places]} for places in options.sets}
    print(json.dumps({**worst(figures), "sets": figures, "steps": steps, **machine()}))


def common_parser(description: str | None, sets: Sequence[str]) -> argparse.ArgumentParser:
    """Return a parser with the options of all benchmarks that train on these scenes."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with flood_a … flood_f; not needed for made scenes")
    parser.add_argument(
        "--work", type=Path, default=PROJECT / "work" / "benchmarks_accuracy", help="folder for the runs"
    )
    parser.add_argument("--steps", type=int, default=400, help="optimiser steps of each training")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="parallel trainings, one core each")
    parser.add_argument("--sets", nargs="+", choices=sets, default=sets, help="places")
    parser.add_argument("--quick", action="store_true", help="two small made scenes, few steps: a test run")
    return parser


def prepared_options(parser: argparse.ArgumentParser, quick_set: str) -> argparse.Namespace:
    """Return the options of the command line, with all scenes prepared; with --quick the only set is `quick_set`."""
    options = parser.parse_args()
    options.work = options.work.resolve()
    if options.quick:
        options.sets, options.steps = [quick_set], QUICK_STEPS
        prepare_quick(options.work)
    elif "floods" in options.sets and options.data is None:
        parser.error("--data is required for the floods; without it use --sets made")
    else:
        prepare(options)
    return options


def prepare(options: argparse.Namespace) -> None:
    """Register and tile the scenes with the workflow; finished scenes are kept."""
    if "floods" in options.sets:
        values = yaml.safe_load((PROJECT / "tests" / "real" / "floods" / "config.yaml").read_text())
        values["tiling"] = {"tile_px": 256}
        del values["training"]
        values |= {
            "scenes": str(PROJECT / "tests" / "real" / "floods" / "scenes.csv"),
            "data_dir": str(options.data.resolve()),
        }
        tile(options.work / "floods", values, sorted({scene for fold in FOLDS["floods"] for scene in fold.test}))
    if "made" in options.sets:
        for fold in FOLDS["made"]:
            values = yaml.safe_load((PROJECT / "config" / "config.yaml").read_text())
            del values["training"]
            folder = options.work / fold.prepared
            values["scenes"] = str(simulate(folder, fold))
            tile(folder, values, MADE)


def prepare_quick(work: Path) -> None:
    """Simulate and tile two small scenes."""
    (fold,) = FOLDS["quick"]
    folder = work / fold.prepared
    values = yaml.safe_load((PROJECT / "config" / "config.yaml").read_text())
    del values["training"]
    rows = ["scene,region,split,optical,sar,label,cloud"]
    script = PROJECT / "workflow" / "scripts" / "simulate_scene.py"
    for scene in (*fold.train, *fold.test):
        files = [folder / "scenes" / scene / f"{role}.tif" for role in ("optical", "sar", "label", "cloud")]
        chosen = ["--scene", scene, "--directory", str(folder / "scenes"), "--size-px", str(QUICK_PX)]
        if not all(path.exists() for path in files):
            subprocess.run([sys.executable, script, *chosen], check=True)
        rows.append(",".join([scene, "made", "train" if scene in fold.train else "test", *map(str, files)]))
    sheet = folder / "scenes.csv"
    sheet.write_text("\n".join(rows) + "\n")
    tile(folder, {**values, "scenes": str(sheet)}, (*fold.train, *fold.test))


def simulate(folder: Path, fold: Fold) -> Path:
    """Simulate the scenes of a fold's landscape and return their sample sheet."""
    rows = ["scene,region,split,optical,sar,label,cloud"]
    for scene in MADE:
        files = [folder / "scenes" / scene / f"{role}.tif" for role in ("optical", "sar", "label", "cloud")]
        if not all(path.exists() for path in files):
            script = PROJECT / "workflow" / "scripts" / "simulate_scene.py"
            chosen = ["--scene", scene, "--directory", str(folder / "scenes"), "--seed", str(fold.seed)]
            subprocess.run([sys.executable, script, *chosen], check=True)
        rows.append(",".join([scene, "made", "train" if scene in fold.train else "test", *map(str, files)]))
    sheet = folder / "scenes.csv"
    sheet.write_text("\n".join(rows) + "\n")
    return sheet


def tile(folder: Path, values: dict[str, object], scenes: Iterable[str]) -> None:
    """Run the workflow in a folder up to the pair stores of the scenes."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(values))
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", str(PROJECT / "Snakefile"), "--cores", "all"]
    targets = [f"work/scenes/{scene}/pair.json" for scene in scenes]
    subprocess.run(
        [*snakemake, "--directory", folder, "--configfile", config, "--", *targets],
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        check=True,
        stdout=sys.stderr,
    )


def chosen_gains(options: argparse.Namespace, steps: int) -> list[float]:
    """Return the best gain of each fold of the floods, by mIoU on its own training events."""
    if "floods" not in options.sets:
        return []
    inner = range(len(FOLDS["gain"]))
    runs = [Training("gain", fold, "fused", steps, gain) for gain in GAINS for fold in inner]
    found = dict(zip(runs, results_of(runs, options), strict=True))
    chosen = []
    for number, fold in enumerate(FOLDS["floods"]):
        reached = {
            gain: mean(run.miou() for of, run in found.items() if (of.fold // 2, of.gain) == (number, gain))
            for gain in GAINS
        }
        chosen.append(max(reached, key=reached.__getitem__))
        listed = ", ".join(f"{gain:g}: {miou:.3f}" for gain, miou in reached.items())
        print(f"{fold.name}: gain {chosen[-1]:g}, by mIoU on its own training events ({listed})")
    return chosen


def all_results(options: argparse.Namespace, steps: int, gains: dict[str, list[float]]) -> Results:
    """Return the results of all variants on all sets of places."""
    runs = [
        Training(places, number, variant, steps, gains[places][number])
        for variant in VARIANTS
        for places in options.sets
        for number in range(len(FOLDS[places]))
    ]
    results: Results = {}
    for run, result in zip(runs, results_of(runs, options), strict=True):
        results.setdefault((run.places, run.variant), []).append(result)
    return results


def results_of(runs: Sequence[Training], options: argparse.Namespace) -> Iterator[Result]:
    """Run the trainings without a result in parallel, and yield all results in order."""

    def done(run: Training) -> Result:
        name = f"{run.places}-{run.fold}-{run.variant.replace(' ', '_')}-{run.steps}-{run.gain:g}.json"
        path = options.work / "results" / CODE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            chosen = ["--data", run.places, "--fold", str(run.fold), "--variant", run.variant]
            chosen += ["--steps", str(run.steps), "--gain", str(run.gain)]
            command = [sys.executable, str(PROJECT / "benchmarks" / "accuracy_runs.py"), *chosen]
            log = path.with_suffix(".log")
            with log.open("w") as file:
                outcome = subprocess.run(
                    [*command, "--work", options.work, "--result", path],
                    env={**os.environ, "OMP_NUM_THREADS": "1"},
                    check=False,
                    stdout=file,
                    stderr=file,
                )
            if outcome.returncode:
                raise SystemExit(f"{' '.join(chosen)} failed; see {log}")
        return Result(**json.loads(path.read_text()))

    with ThreadPoolExecutor(options.jobs) as pool:
        yield from progress(pool.map(done, runs), "trainings", len(runs))


def mious(runs: Sequence[Result], condition: Condition = CLEAR) -> list[float]:
    """Return the mean IoU of each fold."""
    return [run.miou(condition.name) for run in runs]


def report(places: str, results: Results) -> dict[str, Any]:
    """Print the tables of a set of places and return its figures."""
    of = {variant: results[places, variant] for variant in VARIANTS}
    print(f"\n{places}: mIoU on held-out places, mean ± standard deviation of {len(of['fused'])} trainings")
    for fused, optical, sar in zip(of["fused"], of["optical"], of["sar"], strict=True):
        print(f"  {fused.fold:<12} fused {fused.miou():.3f}, optical {optical.miou():.3f}, SAR {sar.miou():.3f}")
    print(f"{'painted clouds':<24}" + "".join(f"{name:>18}" for name in ("none", "25 %", "50 %", "75 %", "100 %")))
    row("fused, mask given", [mious(of["fused"], condition) for condition in (CLEAR, *MASKED)])
    row("fused, mask withheld", [mious(of["fused"], condition) for condition in (CLEAR, *UNMASKED)])
    row("optical only", [mious(of["optical"], condition) for condition in (CLEAR, *UNMASKED)])
    row("SAR only", [mious(of["sar"])] * 5)
    rarest = {variant: [run.rarest()[1] for run in runs] for variant, runs in of.items()}
    clear = {variant: mious(runs) for variant, runs in of.items()}
    single = list(map(max, clear["optical"], clear["sar"]))
    names = " / ".join(dict.fromkeys(run.rarest()[0] for run in of["fused"]))
    print(f"{'loss and fusion':<24}{'mIoU':>18}{'IoU of ' + names:>24}{'million weights':>18}")
    for variant in ("fused", "cross entropy", "focal", "dice", "sum", "early"):
        label = {"fused": "RIFT, CMAF", "sum": "RIFT, sum", "early": "RIFT, early"}.get(variant, f"{variant}, CMAF")
        figures = f"{spread(clear[variant]):>18}{spread(rarest[variant]):>24}"
        print(f"{label:<24}{figures}{of[variant][0].parameters / 1e6:>18.2f}")
    overcast, overcast_masked = (mious(of["fused"], clouds[-1]) for clouds in (UNMASKED, MASKED))
    paired = {
        "fused_minus_best_single": minus(clear["fused"], single),
        "sar_minus_fused_full_cloud": minus(clear["sar"], overcast),
        "sar_minus_fused_full_cloud_masked": minus(clear["sar"], overcast_masked),
        "rift_minus_ce_miou": minus(clear["fused"], clear["cross entropy"]),
        "rift_minus_ce_rarest": minus(rarest["fused"], rarest["cross entropy"]),
        "cmaf_minus_sum": minus(clear["fused"], clear["sum"]),
        "cmaf_minus_early": minus(clear["fused"], clear["early"]),
    }
    print(
        "differences, mean ± standard deviation: " + "; ".join(f"{key} {spread(each)}" for key, each in paired.items())
    )
    return {
        **{key: mean(each) for key, each in paired.items()},
        "by_fold": {key: [round(value, 4) for value in each] for key, each in paired.items()},
        "full_cloud_masked_minus_sar_path": max(run.from_sar_path or 0.0 for run in of["fused"]),
        "miou": {variant: [round(value, 4) for value in mious(runs)] for variant, runs in of.items()},
        "iou_rarest": {variant: [round(value, 4) for value in values] for variant, values in rarest.items()},
        "miou_clouds": {
            name: {condition.name: round(mean(mious(of[name], condition)), 4) for condition in conditions}
            for name, conditions in (("fused", (*MASKED, *UNMASKED)), ("optical", UNMASKED))
        },
    }


def minus(a: Sequence[float], b: Sequence[float]) -> list[float]:
    """Return the difference of each training."""
    return [of_a - of_b for of_a, of_b in zip(a, b, strict=True)]


def row(label: str, columns: Sequence[Sequence[float]]) -> None:
    """Print one line of a table."""
    print(f"{label:<24}" + "".join(f"{spread(values):>18}" for values in columns))


def spread(values: Sequence[float]) -> str:
    """Return mean and standard deviation as text."""
    return f"{mean(values):.3f} ± {stdev(values) if len(values) > 1 else math.nan:.3f}"


def worst(figures: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Return the main figures, each from the set of places where it is worst."""
    keys = {
        "fused_minus_best_single": min,
        "sar_minus_fused_full_cloud": max,
        "rift_minus_ce_miou": min,
        "rift_minus_ce_rarest": min,
    }
    return {key: worse(each[key] for each in figures.values()) for key, worse in keys.items()}


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
