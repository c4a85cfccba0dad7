"""A minimum mapping unit and polygons in a whole run: what is delivered, and what reruns."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pyogrio
import pytest
import rasterio
import yaml

from clairemap.delivery.patches import Patches

pytestmark = pytest.mark.workflow
Run = Callable[..., CompletedProcess[str]]
TARGETS = ("results/south/south.check.json", "results/south/south.landcover.gpkg")


def test_maps_are_dissolved_and_vectorized(region: Path, snakemake: Run):
    def run(*words: str, **deliver: Any) -> str:
        config = yaml.safe_load((region / "config.yaml").read_text())
        (region / "config.yaml").write_text(yaml.safe_dump({**config, "deliver": deliver}))
        done = snakemake(region, *TARGETS, "--configfile", str(region / "config.yaml"), *words)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
        return done.stdout + done.stderr

    def planned(**deliver: Any) -> set[str]:
        table = re.search(r"^Job stats:\n.*\n-.*\n((?:\w+ +\d+\n)+)", run("--dry-run", **deliver), re.M)
        return {line.split()[0] for line in table[1].splitlines()} - {"total"} if table else set()

    run(min_area_ha=0.5, vector=True)
    results = region / "results" / "south"
    with rasterio.open(results / "south.landcover.tif") as file:
        patches = Patches.of(file.read(1))
        assert file.tags()["min_area_ha"] == "0.5"
    assert patches.sums()[1:].min() >= 50
    _, _, _, (codes, *_) = pyogrio.raw.read(results / "south.landcover.gpkg", layer="landcover")
    assert len(codes) == len(patches) - 1 and set(codes) == set(patches.codes[1:])
    assert "polygons" in json.loads((results / "south.item.json").read_text())["assets"]
    assert (region / "work" / "maps" / "south" / "south.probabilities.json").exists()

    assert planned(min_area_ha=0.5, vector=True) == set()
    assert planned(min_area_ha=1, vector=True) == {"dissolve_patches", "check_maps", "vectorize_map"}
    assert planned(vector=True) == {"mosaic_region", "check_maps", "vectorize_map"}
    assert np.isin(codes, [10, 20, 30]).all()
