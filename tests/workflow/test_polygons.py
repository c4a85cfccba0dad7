"""Polygons as labels: burnt once, tracked by content, only for the scenes that have them."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pyogrio
import pytest
import rasterio
import rasterio.features
import shapely
import yaml

from clairemap.artefacts.label_counts import read_label_counts

pytestmark = pytest.mark.workflow
Run = Callable[..., CompletedProcess[str]]


def write_polygons(raster: Path, target: Path) -> None:
    """Write the classes of a label raster as polygons, with their names in a column."""
    names = {10: "water", 20: "Acker", 30: "woods"}
    with rasterio.open(raster) as file:
        found = list(rasterio.features.shapes(file.read(1), transform=file.transform))
    wkb = np.array([shapely.to_wkb(shapely.geometry.shape(shape)) for shape, _ in found], object)
    column = np.array([names[int(code)] for _, code in found], object)
    pyogrio.raw.write(
        target, wkb, [column], np.array(["kind"]), geometry_type="Polygon", crs="EPSG:32633", driver="ESRI Shapefile"
    )


def test_polygons_are_labels(region: Path, snakemake: Run):
    def run(*words: str) -> str:
        targets = [f"work/scenes/{name}/pair.json" for name in ("west", "middle")]
        done = snakemake(region, *targets, "--configfile", str(region / "config.yaml"), *words)
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
        return done.stdout + done.stderr

    west = region / "scenes" / "west"
    write_polygons(west / "label.tif", west / "fields.shp")
    sheet = region / "scenes.csv"
    sheet.write_text(sheet.read_text().replace("west/label.tif", "west/fields.shp"))
    config = yaml.safe_load((region / "config.yaml").read_text())
    config["legend"]["classes"][1]["from"] = [20, "Acker"]
    config["labels"] = {"field": "kind"}
    (region / "config.yaml").write_text(yaml.safe_dump(config))

    assert run().count("burn polygons into a label raster") == 1
    scene = region / "work" / "scenes" / "west"
    with rasterio.open(scene / "label.tif") as burnt, rasterio.open(west / "label.tif") as given:
        assert np.array_equal(burnt.read(1), given.read(1)) and burnt.transform == given.transform
    assert read_label_counts(scene / "label.json").unlabelled_px == 0
    assert not (region / "work" / "scenes" / "middle" / "label.tif").exists()
    assert "Nothing to be done" in run("--dry-run")

    table = west / "fields.dbf"
    kept = table.read_bytes()
    table.write_bytes(kept)
    assert "Nothing to be done" in run("--dry-run")
    table.write_bytes(kept.replace(b"water", b"woods"))
    assert "burn_labels" in run("--dry-run")
    table.write_bytes(kept)
    assert "Nothing to be done" in run("--dry-run")
