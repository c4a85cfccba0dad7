import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox

from clairemap.accuracy.sample_files import write_sample
from clairemap.artefacts.sample_design import DesignUnit
from clairemap.artefacts.simulated_answers import read_simulated_answers
from clairemap.settings import DEMO_CLASSES


def test_the_sample_is_filled_in_from_the_truth(stage: Callable[[str], Callable[..., Any]], tmp_path: Path):
    stage("simulate_scene")(scene="east_north", directory=tmp_path, size_px=128)
    label = tmp_path / "east_north" / "label.tif"
    with rasterio.open(label) as raster:
        codes, profile = raster.read(1), raster.profile
    landcover = tmp_path / "map.tif"
    with rasterio.open(landcover, "w", **{**profile, "nodata": 255}) as raster:
        raster.write(np.where(codes == 0, 255, 1).astype(np.uint8), 1)
    places = np.argwhere(codes)[::40].tolist()
    units = [DesignUnit(f"{n:05d}", row, column, 0, n, 1, 100.0, 0.1) for n, (row, column) in enumerate(places)]
    sample = tmp_path / "sample.csv"
    geobox = GeoBox(codes.shape, profile["transform"], str(profile["crs"]))
    write_sample(sample, tmp_path / "sample.gpkg", units, geobox, {})

    files = {"answers": tmp_path / "points.csv", "truth": tmp_path / "truth.json"}
    stage("interpret_demo")(sample=sample, landcover=landcover, **files)
    with files["answers"].open(newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert [row["id"] for row in found] == [unit.id for unit in units]
    names = {c.code: c.name for c in DEMO_CLASSES}
    right = [row["reference"] == names[codes[*place]] for row, place in zip(found, places, strict=True)]
    truth = read_simulated_answers(files["truth"])
    assert (truth.units, truth.wrong) == (len(units), right.count(False))
    assert 0 < truth.wrong < 0.1 * len(units)
    assert set(truth.area_ha) == set(names.values())

    first = [path.read_bytes() for path in files.values()]
    stage("interpret_demo")(sample=sample, landcover=landcover, **files)
    assert [path.read_bytes() for path in files.values()] == first
