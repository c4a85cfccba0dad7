"""Scenes of the accuracy benchmark: simulated where they are made, registered and tiled by the workflow."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from accuracy_places import FOLDS, Fold, event_of

from clairemap.provenance import json_digest, stage_code

PROJECT = Path(__file__).parents[1]
MADE_PX, QUICK_PX = 768, 256
MADE_PLACES = ("west_south", "east_north")
"""Demo scenes whose grids the scenes of a made region have."""

LANDSCAPES = {"a": 2, "b": 5, "c": 6, "d": 8, "e": 9, "f": 12}
"""Seed of each made region's landscape, see simulate_scene; all have all classes in both scenes."""

REAL = {"floods": "floods", "small": "whu_opt_sar"}
"""Folder with settings and sample sheet of each set of real places, in tests/real."""

ROLES = ("optical", "sar", "label", "cloud")
SIMULATOR = PROJECT / "workflow" / "scripts" / "simulate_scene.py"
SIMULATED_BY = "simulated_by.txt"
"""File in the folder of a made scene: hash of the simulator's code and options. It is written last."""


def prepare(work: Path, places: str, data: Path | None) -> None:
    """Register and tile the scenes of a set of places with the workflow; finished scenes are kept."""
    scenes = scenes_of(FOLDS[places])
    if places in REAL:
        assert data is not None, "checked with the options"
        folder = PROJECT / "tests" / "real" / REAL[places]
        values = yaml.safe_load((folder / "config.yaml").read_text())
        values |= {"scenes": str(folder / "scenes.csv"), "data_dir": str(data.resolve()), "tiling": {"tile_px": 256}}
    else:
        values = yaml.safe_load((PROJECT / "config" / "config.yaml").read_text())
        values["scenes"] = str(simulated(work / places, scenes, QUICK_PX if places == "quick" else MADE_PX))
        sar = {"bands": ["VV", "VH"], "scale": "digital", "speckle_filter": "none"}  # as the floods
        values["sensors"] = {**values.get("sensors", {}), "sar": sar}
        values["registration"] = {"model": "none"}  # the displacement that these scenes have is what remains after it
    values.pop("training", None)
    values.pop("augmentation", None)
    tile(work / places, values, scenes)


def scenes_of(folds: Iterable[Fold]) -> tuple[str, ...]:
    """Return the scenes of the folds, each once."""
    return tuple(sorted({scene for fold in folds for scene in (*fold.train, *fold.test)}))


def simulated(folder: Path, scenes: Iterable[str], size_px: int) -> Path:
    """Simulate the scenes that this code has not simulated yet, and return the sample sheet of all."""
    code = stage_code(SIMULATOR)
    rows = [",".join(("scene", "region", "split", *ROLES))]
    for scene in scenes:
        made = folder / "scenes" / scene
        options = simulator_options(scene, size_px)
        simulated_by = json_digest([code, options])
        if not (made / SIMULATED_BY).exists() or (made / SIMULATED_BY).read_text() != simulated_by:
            simulate(made, options)
            (made / SIMULATED_BY).write_text(simulated_by)
        files = [made / f"{role}.tif" for role in ROLES]
        rows.append(",".join([scene, event_of(scene), "train", *map(str, files)]))
    sheet = folder / "scenes.csv"
    sheet.write_text("\n".join(rows) + "\n")
    return sheet


def simulator_options(scene: str, size_px: int) -> dict[str, str]:
    """Return the options of simulate_scene for a made scene: its region's landscape, its own grid and conditions."""
    _, letter, number = scene.split("_")
    landscape = LANDSCAPES[letter]
    acquisition = 1 + len(MADE_PLACES) * landscape + int(number)
    return {
        "--scene": MADE_PLACES[int(number)],
        "--size-px": str(size_px),
        "--seed": str(landscape),
        "--acquisition": str(acquisition),
    }


def simulate(target: Path, options: dict[str, str]) -> None:
    """Simulate a made scene; replace its folder if it exists."""
    words = [word for option in options.items() for word in option]
    subprocess.run([sys.executable, SIMULATOR, "--directory", target.parent, *words], check=True)
    shutil.rmtree(target, ignore_errors=True)
    (target.parent / options["--scene"]).rename(target)


def tile(folder: Path, values: dict[str, Any], scenes: Iterable[str]) -> None:
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
