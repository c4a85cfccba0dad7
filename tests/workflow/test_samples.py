"""A sample of a map: drawn, filled in from the truth, estimated; what reruns then, and what keeps its answers."""

import csv
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
import rasterio
import yaml

from clairemap.artefacts.estimates import read_estimates
from clairemap.artefacts.sample_design import read_sample_design
from clairemap.errors import SampleError, SettingsError

pytestmark = pytest.mark.workflow
Run = Callable[..., CompletedProcess[str]]
ESTIMATES, SAMPLE = "results/north/estimates.json", "results/north/north.sample.csv"


def configure(region: Path, **accuracy: Any) -> None:
    config = yaml.safe_load((region / "config.yaml").read_text())
    chosen = {"units": 120, "per_stratum": 20, "interpreted": "points/{region}.csv", **accuracy}
    (region / "config.yaml").write_text(yaml.safe_dump({**config, "accuracy": chosen}))


def fill_in(region: Path) -> int:
    """Save the sample with the true classes, and return the number of its units."""
    truth = np.kron(np.random.default_rng(7).integers(0, 3, (8, 16)), np.ones((50, 50), np.int64))
    with (region / SAMPLE).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        place = int((5_400_000 - float(row["map_y"])) // 10), int((float(row["map_x"]) - 600_000) // 10)
        row["reference"] = ("water", "fields", "woods")[truth[place]]
    (region / "points").mkdir(exist_ok=True)
    with (region / "points" / "north.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def test_from_the_map_to_areas_with_intervals(region: Path, snakemake: Run):
    def run(*words: str, code: int = 0) -> str:
        done = snakemake(region, *words, "--configfile", str(region / "config.yaml"))
        output = done.stdout + done.stderr
        assert done.returncode == code, output[-4000:]
        return output

    def rules_run(*words: str) -> set[str]:
        output = run(*words, "--dry-run")
        return {name for name in ("draw_sample", "estimate_areas", "mosaic_region") if f"\n{name} " in output}

    configure(region)
    missing = run("--dry-run", code=SampleError.exit_code)
    assert "points/north.csv, points/south.csv does not exist. Draw samples" in missing

    run("draw_samples")
    assert (region / "results" / "south" / "south.sample.gpkg").exists()
    units = fill_in(region)
    shown = run("--dry-run")
    assert "No estimates for south" in shown and "\nestimate_areas " in shown
    run(ESTIMATES)
    found = read_estimates(region / ESTIMATES)
    assert found.answered == units and found.cautions == ()
    assert rules_run(ESTIMATES) == set()

    # a longer sample has the answers; an unanswered rest is reported
    configure(region, units=200)
    assert rules_run(ESTIMATES) == {"draw_sample", "estimate_areas"}
    run(ESTIMATES)
    longer = read_estimates(region / ESTIMATES)
    assert longer.units > longer.answered == units and "no reference class" in longer.cautions[0]
    assert (region / SAMPLE).read_text(encoding="utf-8-sig").count(",woods,") > 0
    fill_in(region)
    assert rules_run(ESTIMATES) == {"estimate_areas"}
    run(ESTIMATES)

    # another seed would lose the answers: refused, also in a second run
    configure(region, units=200, seed=9)
    kept = (region / SAMPLE).read_bytes()
    for _ in range(2):
        assert "have answers" in run(ESTIMATES, "draw_samples", code=1)
    assert (region / SAMPLE).read_bytes() == kept
    configure(region, units=200)
    run(ESTIMATES)

    # a new map: the sample stays, in a forced rerun too, and the estimates say so
    design = read_sample_design(region / "work" / "samples" / "north.json")
    landcover = region / "results" / "north" / "north.landcover.tif"
    with rasterio.open(landcover, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as file:
        codes = file.read(1)
        codes[50:120, 50:120] = 30
        file.write(codes, 1)
    assert rules_run(ESTIMATES) == {"estimate_areas"}
    run(ESTIMATES)
    assert "drawn from an earlier map" in read_estimates(region / ESTIMATES).cautions[0]
    output = run("draw_samples", "--forcerun", "draw_sample")
    assert "has changed since the sample was drawn; the sample stays as it is" in output
    assert read_sample_design(region / "work" / "samples" / "north.json") == design


def test_maps_of_scenes_are_not_sampled(region: Path, snakemake: Run):
    config = yaml.safe_load((region / "config.yaml").read_text())
    (region / "config.yaml").write_text(yaml.safe_dump({**config, "mosaic": {"grid": "scene"}}))
    done = snakemake(region, "draw_samples", "--configfile", str(region / "config.yaml"), "--dry-run")
    assert done.returncode == SettingsError.exit_code
    assert "a sample is drawn from one map for each region; set mosaic.grid to region" in done.stdout + done.stderr
    configure(region)
    done = snakemake(region, "--configfile", str(region / "config.yaml"), "--dry-run")
    assert done.returncode == SettingsError.exit_code
    assert "accuracy.interpreted needs one map for each region" in done.stdout + done.stderr
