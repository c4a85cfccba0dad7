"""Floods: train on four scenes, test on one of another event and on blocks held out of the four; sensor by sensor.

The held-out blocks adjoin training blocks (no buffer: the scenes are small), so that they say less than the test event.

Runs the whole workflow three times on the flood scenes (fused, optical only, SAR only), each network trained anew with
the same steps; registration and tiling are shared. Prints a table, and as its last line one JSON object.

    python benchmarks/floods.py --data FOLDER_WITH_FLOOD_SCENES [--quick]
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml

import clairemap
from clairemap.metrics.scores import Scores, scores

PROJECT = Path(__file__).parents[1]
SENSORS = ("fused", "optical", "sar")
SETTINGS = {
    "splits": {"method": "block", "block_tiles": 1, "val_share": 0.12, "test_share": 0.15, "buffer_px": 0},
    "metrics": {"compare_sensors": False},
    "registration": {"on_rejected": "keep"},
}


def main() -> None:
    """Run the three trainings and print what they reach."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with flood_a … flood_f")
    parser.add_argument("--work", type=Path, default=PROJECT / "work" / "benchmarks_floods", help="where the runs lie")
    parser.add_argument("--steps", type=int, default=600, help="optimiser steps of each network")
    parser.add_argument("--quick", action="store_true", help="30 steps: shows that it runs, not what it reaches")
    options = parser.parse_args()
    steps = 30 if options.quick else options.steps
    rows = {sensors: run(sensors, steps, options) for sensors in SENSORS}
    print(f"\n{'network':<10}{'test event':>22}{'held-out blocks':>22}{'seconds':>10}")
    print(f"{'':<10}{'mIoU':>11}{'OA':>11}{'mIoU':>11}{'OA':>11}")
    for sensors, row in rows.items():
        figures = "".join(f"{row[key]:>11.3f}" for key in ("miou", "oa", "miou_blocks", "oa_blocks"))
        print(f"{sensors:<10}{figures}{row['seconds']:>10.0f}")
    summary = {f"{key}_{sensors}": row[key] for sensors, row in rows.items() for key in row}
    best_single = max(rows["optical"]["miou"], rows["sar"]["miou"])
    machine = {"python": platform.python_version(), "torch": torch.__version__, "clairemap": clairemap.__version__}
    summary["fused_minus_best_single"] = rows["fused"]["miou"] - best_single
    print(json.dumps({**summary, "steps": steps, **machine}))


def run(sensors: str, steps: int, options: argparse.Namespace) -> dict[str, float]:
    """Train and map with one choice of sensors; return mIoU and OA on the test event and on the held-out blocks."""
    base = yaml.safe_load((PROJECT / "tests" / "real" / "floods" / "config.yaml").read_text())
    training = {"steps": steps, "batch_size": 8, "crop_px": 128, "validate_every": 100, "checkpoint_every": 100}
    own = {"training": training, "network": {"sensors": sensors}, "results_dir": f"results_{sensors}", **SETTINGS}
    options.work.mkdir(parents=True, exist_ok=True)
    config = options.work / f"{sensors}.yaml"
    config.write_text(yaml.safe_dump({**base, **own}))
    started = time.monotonic()
    sheet = PROJECT / "tests" / "real" / "floods" / "scenes.csv"
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", PROJECT / "Snakefile", "--cores", "all"]
    values = ["--configfile", config, "--config", f"scenes={sheet}", f"data_dir={options.data.resolve()}"]
    subprocess.run(
        [*snakemake, "--directory", options.work, *values],
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        check=True,
        stdout=sys.stderr,
    )
    metrics = json.loads((options.work / f"results_{sensors}" / "floods" / "metrics.json").read_text())
    event = metrics["scenes"]["flood_f"]
    blocks = held_out_blocks(options.work / "work")
    seconds = time.monotonic() - started
    return {
        "miou": event["miou"], "oa": event["oa"],
        "miou_blocks": blocks.miou, "oa_blocks": blocks.oa, "seconds": seconds,
    }  # fmt: skip


def held_out_blocks(work: Path) -> Scores:
    """Return the scores over the test blocks of the training scenes: places unseen, of floods that were seen."""
    splits = pd.read_parquet(work / "model" / "splits.parquet")
    scores_of = [work / "scenes" / f"flood_{name}" / "fused" / "scores.parquet" for name in "abcd"]
    tiles = pd.concat(pd.read_parquet(path) for path in scores_of)
    held_out = tiles.merge(splits[splits.split == "test"], on=["scene", "row", "col"])
    confusion = np.stack([np.asarray(matrix) for matrix in held_out.confusion]).sum(0)
    side = int(len(confusion) ** 0.5)
    return scores(confusion.reshape(side, side))


if __name__ == "__main__":
    main()
