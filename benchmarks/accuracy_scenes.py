"""Scenes of the accuracy benchmark: simulated where they are made, registered and tiled by the workflow."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from accuracy_places import FOLDS, Fold, event_of

PROJECT = Path(__file__).parents[1]
MADE_PX, QUICK_PX = 768, 256
MADE_PLACES = ("west_south", "east_north")
"""Demo scenes whose grids the scenes of a made region have."""

LANDSCAPES = {"a": 2, "b": 5, "c": 6, "d": 8, "e": 9, "f": 12}
"""Seed of each made region's landscape, see simulate_scene; all have all classes in both scenes."""

REAL = {"floods": "floods", "small": "whu_opt_sar"}
"""Folder with settings and sample sheet of each set of real places, in tests/real."""

ROLES = ("optical", "sar", "label", "cloud")


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
    """Simulate scenes and return their sample sheet."""
    rows = [",".join(("scene", "region", "split", *ROLES))]
    for scene in scenes:
        files = [folder / "scenes" / scene / f"{role}.tif" for role in ROLES]
        if not all(path.exists() for path in files):
            simulate(scene, folder / "scenes", size_px)
        rows.append(",".join([scene, event_of(scene), "train", *map(str, files)]))
    sheet = folder / "scenes.csv"
    sheet.write_text("\n".join(rows) + "\n")
    return sheet


def simulate(scene: str, folder: Path, size_px: int) -> None:
    """Simulate one made scene: landscape of its region, grid and conditions of its own."""
    _, letter, number = scene.split("_")
    place = MADE_PLACES[int(number)]
    landscape = LANDSCAPES[letter]
    script = PROJECT / "workflow" / "scripts" / "simulate_scene.py"
    chosen = ["--scene", place, "--directory", str(folder), "--size-px", str(size_px), "--seed", str(landscape)]
    acquisition = str(1 + len(MADE_PLACES) * landscape + int(number))
    subprocess.run([sys.executable, script, *chosen, "--acquisition", acquisition], check=True)
    (folder / place).rename(folder / scene)


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
