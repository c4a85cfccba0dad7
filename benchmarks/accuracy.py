"""Accuracy on held-out places: sensor by sensor and under painted clouds, loss by loss, fusion by fusion.

Two sets of places. *Floods*: six real Sentinel events; each of three trainings holds out two of them, so that every
event is held out once. *Made*: three simulated regions, each with its own training scenes and a test scene that none
of them overlaps. Seeds differ with the trainings; a figure is the mean of the three, with their deviation. All
trainings have the same number of steps and keep the last step's weights, so that nothing is chosen on the test places.

Pictures are scored on all their labelled pixels, also where clouds were painted. The weak and the tiny labelled data
(sea and land, single chips, single sensors) are left out: three trainings on them would tell nothing.

Prints tables, and as its last line one JSON object. Finished trainings are kept under --work and not done again.

    python benchmarks/accuracy.py --data FOLDER_WITH_FLOOD_SCENES [--quick]
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean, stdev

import torch
import yaml
from accuracy_runs import CLEAR, FOLDS, MADE, MASKED, UNMASKED, VARIANTS, Condition, Result

import clairemap
from clairemap.console import progress

PROJECT = Path(__file__).parents[1]
Results = dict[tuple[str, str], list[Result]]
"""The trainings of each set of places and variant, one for each fold."""


def main() -> None:
    """Prepare the scenes, train, score, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with flood_a … flood_f")
    parser.add_argument("--work", type=Path, default=PROJECT / "work" / "benchmarks_accuracy", help="where runs lie")
    parser.add_argument("--steps", type=int, default=300, help="optimiser steps of each training")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="trainings side by side, one core each")
    parser.add_argument("--sets", nargs="+", choices=list(FOLDS), default=list(FOLDS), help="places")
    parser.add_argument("--quick", action="store_true", help="20 steps: shows that it runs, not what it reaches")
    options = parser.parse_args()
    options.work = options.work.resolve()
    steps = 20 if options.quick else options.steps
    prepare(options)
    results = all_results(options, steps)
    figures = {places: report(places, results) for places in options.sets}
    print(json.dumps({**wanted(figures), "sets": figures, "steps": steps, **machine()}))


def prepare(options: argparse.Namespace) -> None:
    """Register and tile the scenes with the workflow itself; done already, it does nothing."""
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
            values |= {"scenes": str(PROJECT / "config" / "scenes.csv"), "seed": fold.seed}
            tile(options.work / fold.prepared, values, MADE)


def tile(folder: Path, values: dict[str, object], scenes: Iterable[str]) -> None:
    """Run the workflow in a folder as far as the pairs of the scenes."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(values))
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", PROJECT / "Snakefile", "--cores", "all"]
    targets = [f"work/scenes/{scene}/pair.json" for scene in scenes]
    subprocess.run(
        [*snakemake, "--directory", folder, "--configfile", config, "--", *targets],
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        check=True,
        stdout=sys.stderr,
    )


def all_results(options: argparse.Namespace, steps: int) -> Results:
    """Do the trainings that have no result yet, several side by side, and return all."""
    wanted_runs = [
        (places, variant, number)
        for variant in VARIANTS
        for places in options.sets
        for number in range(len(FOLDS[places]))
    ]

    def done(run: tuple[str, str, int]) -> Result:
        places, variant, number = run
        path = options.work / "results" / f"{places}-{number}-{variant.replace(' ', '_')}-{steps}.json"
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            chosen = ["--data", places, "--fold", str(number), "--variant", variant, "--steps", str(steps)]
            command = [sys.executable, PROJECT / "benchmarks" / "accuracy_runs.py", *chosen]
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

    results: Results = {}
    with ThreadPoolExecutor(options.jobs) as pool:
        finished = progress(pool.map(done, wanted_runs), "trainings", len(wanted_runs))
        for (places, variant, _), result in zip(wanted_runs, finished, strict=True):
            results.setdefault((places, variant), []).append(result)
    return results


def mious(runs: Sequence[Result], condition: Condition = CLEAR) -> list[float]:
    """Return the mean IoU of each fold."""
    return [run.miou(condition.name) for run in runs]


def report(places: str, results: Results) -> dict[str, object]:
    """Print the tables of a set of places and return its figures."""
    of = {variant: results[places, variant] for variant in VARIANTS}
    print(f"\n{places}: mIoU on held-out places, mean ± deviation of {len(of['fused'])} trainings")
    for run in of["fused"]:
        single = ", ".join(f"{name} {of[name][of['fused'].index(run)].miou():.3f}" for name in ("optical", "sar"))
        print(f"  {run.fold:<12} fused {run.miou():.3f}, {single}")
    print(f"{'clouds':<24}" + "".join(f"{name:>18}" for name in ("none", "25 %", "50 %", "75 %", "100 %")))
    row("fused, mask given", [mious(of["fused"], condition) for condition in (CLEAR, *MASKED)])
    row("fused, mask withheld", [mious(of["fused"], condition) for condition in (CLEAR, *UNMASKED)])
    row("optical only", [mious(of["optical"], condition) for condition in (CLEAR, *UNMASKED)])
    row("SAR only", [mious(of["sar"])] * 5)
    rarest = {variant: [run.rarest()[1] for run in runs] for variant, runs in of.items()}
    names = " / ".join(dict.fromkeys(run.rarest()[0] for run in of["fused"]))
    print(f"{'loss and fusion':<24}{'mIoU':>18}{'IoU of ' + names:>24}")
    for variant in ("fused", "cross entropy", "focal", "dice", "sum", "early"):
        label = {"fused": "RIFT, CMAF", "sum": "RIFT, sum", "early": "RIFT, early"}.get(variant, f"{variant}, CMAF")
        print(f"{label:<24}{spread(mious(of[variant])):>18}{spread(rarest[variant]):>24}")
    best_single = max(mean(mious(of[sensor])) for sensor in ("optical", "sar"))
    fused, sar = mean(mious(of["fused"])), mean(mious(of["sar"]))
    return {
        "fused_minus_best_single": fused - best_single,
        "sar_minus_fused_full_cloud": sar - mean(mious(of["fused"], UNMASKED[-1])),
        "sar_minus_fused_full_cloud_masked": sar - mean(mious(of["fused"], MASKED[-1])),
        "full_cloud_masked_minus_sar_path": max(run.from_sar_path for run in of["fused"]),
        "rift_minus_ce_miou": fused - mean(mious(of["cross entropy"])),
        "rift_minus_ce_rarest": mean(rarest["fused"]) - mean(rarest["cross entropy"]),
        "cmaf_minus_sum": fused - mean(mious(of["sum"])),
        "cmaf_minus_early": fused - mean(mious(of["early"])),
        "miou": {variant: [round(value, 4) for value in mious(runs)] for variant, runs in of.items()},
        "iou_rarest": {variant: [round(value, 4) for value in values] for variant, values in rarest.items()},
        "miou_clouds": {
            name: {condition.name: round(mean(mious(of[name], condition)), 4) for condition in conditions}
            for name, conditions in (("fused", (*MASKED, *UNMASKED)), ("optical", UNMASKED))
        },
    }


def row(label: str, columns: Sequence[Sequence[float]]) -> None:
    """Print one line of a table."""
    print(f"{label:<24}" + "".join(f"{spread(values):>18}" for values in columns))


def spread(values: Sequence[float]) -> str:
    """Return mean and deviation as text."""
    return f"{mean(values):.3f} ± {stdev(values):.3f}"


def wanted(figures: dict[str, dict[str, object]]) -> dict[str, float]:
    """Return the benchmark's keys, each the worse of the sets of places."""
    keys = {
        "fused_minus_best_single": min,
        "sar_minus_fused_full_cloud": max,
        "rift_minus_ce_miou": min,
        "rift_minus_ce_rarest": min,
    }
    return {key: worse(each[key] for each in figures.values()) for key, worse in keys.items()}


def machine() -> dict[str, str]:
    """Return the versions behind the figures."""
    return {"python": platform.python_version(), "torch": torch.__version__, "clairemap": clairemap.__version__}


if __name__ == "__main__":
    main()
