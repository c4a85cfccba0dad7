"""Planning of many scenes, start of a job on a cluster node, files of a scene.

A made sheet with regions of 200 scenes, both sensors, one scene of 25 with labels. `bare` is a Snakefile with the same
jobs, dependencies and logs, and nothing else. Seconds are CPU seconds.

- `plan_10k_s`, `plan_10k_mb`: dry run of 10,000 scenes; `plan_vs_bare`: its seconds divided by those of `bare`.
- `job_start_s`, `job_start_vs_bare`: the Snakemake process that a job starts on its node (one of two), with a sheet of
  10,000 scenes: median of alternating runs.
- `noop_s`: dry run of `noop_scenes` scenes when all jobs are done.
- `files_per_scene`: files in the folder of a labelled scene, by its side in pixels, with default tiles and windows of
  2048 px, counted in stores with as many tiles; test scenes with `metrics.compare_sensors` have the probabilities two
  more times.
- `asked_over_used`: memory requested divided by memory used (`workflow_memory.py`), by rule, of the finished run whose
  work folder is given with `--run`.

Prints its figures, and as its last line one JSON object, with the figures of the last run of `workflow_faults.py`.

    python benchmarks/workflow.py [--quick] [--run WORK]
"""

import argparse
import json
import os
import platform
import re
import statistics
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox
from workflow_made import BARE, JOB, PROJECT, Cost, make_folder, snakemake, workflow_without_work
from workflow_memory import asked_over_used

import clairemap
from clairemap.inference.probabilities import create_probabilities
from clairemap.inference.scene_windows import scene_windows
from clairemap.outputs import SceneFolder
from clairemap.raster.store import GridStore, Layer, complete_store, create_store
from clairemap.scenes import read_sample_sheet
from clairemap.settings import Settings

SCENES, QUICK_SCENES = 10_000, 50
NOOP_SCENES, QUICK_NOOP_SCENES = 200, 10
STARTS, QUICK_STARTS = 7, 1
SIDES_PX = (1024, 2048, 4096, 8192, 16384)
HALO_PX = 384
WINDOW_PX = 2048
FAULTS = PROJECT / "benchmarks" / "results" / "workflow_faults.json"

SCALE = 32
"""Stores of files_per_scene have sides and tiles smaller by this factor, and as many tiles as real ones."""

PAIR_LAYERS = (
    Layer("optical", "uint16", ("red", "nir")),
    Layer("sar", "float32", ("VV",), fill=float("nan")),
    Layer("label", "uint8"),
    Layer("validity", "uint8"),
)


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few scenes, one start")
    parser.add_argument("--run", type=Path, help="work folder of a finished run, for asked_over_used")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measured(Path(folder), chosen.quick)
    figures["files_per_scene"] = {str(side): files_of_scene(side) for side in SIDES_PX}
    figures["asked_over_used"] = asked_over_used(chosen.run) if chosen.run else None
    figures |= figures_of_faults()
    for name, value in figures.items():
        print(f"{name:<20} {value}")
    print(json.dumps(figures))


def figures_of_faults() -> dict[str, Any]:
    """Return the figures of the last run of `workflow_faults.py`, without the lines it quotes."""
    faults = json.loads(FAULTS.read_text(encoding="utf-8"))
    return {name: value for name, value in faults.items() if name.startswith("faults_") or name == "minutes_lost"}


def measured(folder: Path, quick: bool) -> dict[str, Any]:
    """Return the figures of Snakemake runs in a folder."""
    ours = workflow_without_work(folder / "workflow")
    many = folder / "many"
    make_folder(many, QUICK_SCENES if quick else SCENES)
    plan, bare_plan = (snakemake(file, many, ["--dry-run", "--quiet", "rules"]) for file in (ours, BARE))
    jobs, bare_jobs = number_of_jobs(plan), number_of_jobs(bare_plan)
    if jobs != bare_jobs:
        raise RuntimeError(f"{jobs} jobs, but {bare_jobs} in {BARE.name}: adapt it to the workflow")
    starts = job_starts(ours, many, QUICK_STARTS if quick else STARTS)
    few = folder / "few"
    make_folder(few, QUICK_NOOP_SCENES if quick else NOOP_SCENES)
    snakemake(ours, few, ["--cores", "2", "--quiet", "all"])
    noop = snakemake(ours, few, ["--dry-run"])
    if "Nothing to be done" not in noop.output:
        raise RuntimeError("a finished run has jobs to do:\n" + noop.output[-3000:])
    return {
        "scenes": QUICK_SCENES if quick else SCENES,
        "jobs": jobs,
        "plan_10k_s": plan.cpu_s,
        "plan_10k_mb": plan.rss_mb,
        "plan_vs_bare": plan.cpu_s / bare_plan.cpu_s,
        "plan_mb_vs_bare": plan.rss_mb / bare_plan.rss_mb,
        "job_start_s": starts[0],
        "job_start_vs_bare": starts[0] / starts[1],
        "noop_s": noop.cpu_s,
        "noop_scenes": QUICK_NOOP_SCENES if quick else NOOP_SCENES,
        "python": platform.python_version(),
        "snakemake": version("snakemake"),
        "clairemap": clairemap.__version__,
        "cpus": os.cpu_count(),
    }


def number_of_jobs(plan: Cost) -> int:
    """Return the total of a dry run's table of jobs."""
    total = re.search(r"^total +(\d+)$", plan.output, re.MULTILINE)
    if total is None:
        raise RuntimeError("no table of jobs:\n" + plan.output[-3000:])
    return int(total[1])


def job_starts(ours: Path, folder: Path, count: int) -> tuple[float, float]:
    """Return the CPU seconds of Snakemake on a node, of the workflow and of the bare Snakefile: medians."""
    sheet = read_sample_sheet(folder / "scenes.csv", Path())
    # As in a job, which inherits the controller's environment.
    os.environ["CLAIREMAP_CHECKED_SHEET"] = sheet.digest
    words = ["--target-jobs", "register_pair:scene=s00001", "--allowed-rules", "register_pair", *JOB]
    costs = [[snakemake(file, folder, words).cpu_s for file in (ours, BARE)] for _ in range(count)]
    del os.environ["CLAIREMAP_CHECKED_SHEET"]
    first, second = (statistics.median(column) for column in zip(*costs, strict=True))
    return first, second


def files_of_scene(side_px: int) -> int:
    """Return the number of files of a labelled scene of `side_px` squared: written stores, and the other files."""
    settings, folder = Settings(), SceneFolder(Path("scene"))
    windows = scene_windows((side_px, side_px), WINDOW_PX, HALO_PX, settings.tiling.tile_px)
    tile_px = settings.tiling.tile_px // SCALE
    grid = GeoBox((side_px // SCALE, side_px // SCALE), Affine(10, 0, 500_000, 0, -10, 5_300_000), "EPSG:32633")
    with tempfile.TemporaryDirectory() as temporary:
        part, target = Path(temporary) / "part", Path(temporary) / "stores"
        pair = create_store(
            part, grid, PAIR_LAYERS, tile_px=tile_px, shard_tiles=settings.tiling.shard_tiles, attributes={}
        )
        _complete(pair, target / folder.pair.name)
        names = [chosen.name for chosen in settings.legend.classes]
        mapped = create_probabilities(
            part, grid, names, tile_px=tile_px, shard_tiles=windows.shard_tiles, attributes={}
        )
        _complete(mapped, target / folder.probabilities.name)
        stores = sum(path.is_file() for path in target.rglob("*")) + 2  # with manifests and Snakemake's time stamps
    single = (folder.sources, folder.registration, folder.registration_picture, folder.tiles, folder.radiometry_check)
    others = ("radiometry.json", "scores.parquet", folder.explanations.name)
    return stores + len(single) + len(others)


def _complete(store: GridStore, target: Path) -> None:
    for window in store.shards():
        for name in (name for name, array in store.group.arrays() if array.shards):
            store.write(name, window, np.ones((*store.array(name).shape[:-2], *window.shape), np.uint8))
    target.parent.mkdir(exist_ok=True)
    complete_store(store.path, target)


if __name__ == "__main__":
    main()
