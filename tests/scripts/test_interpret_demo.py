import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from clairemap.artefacts.simulated_answers import read_simulated_answers
from clairemap.settings import DEMO_CLASSES


def test_the_sample_is_filled_in_from_the_truth(stage: Callable[[str], Callable[..., Any]], tmp_path: Path):
    stage("simulate_scene")(scene="east_north", directory=tmp_path, size_px=128)
    label = tmp_path / "east_north" / "label.tif"
    with rasterio.open(label) as raster:
        codes = raster.read(1)
        rows, columns = (places[::40] for places in np.nonzero(codes))
        x, y = map(np.asarray, raster.xy(rows, columns))
        profile = raster.profile
    landcover = tmp_path / "map.tif"
    with rasterio.open(landcover, "w", **{**profile, "nodata": 255}) as raster:
        raster.write(np.where(codes == 0, 255, 1).astype(np.uint8), 1)
    header = "id,longitude,latitude,x,y,reference,reference_2,confidence,remark"
    lines = [f"u{n},0,0,{east:.3f},{north:.3f},,,,\n" for n, (east, north) in enumerate(zip(x, y, strict=True))]
    sample = tmp_path / "sample.csv"
    sample.write_text(f"\ufeff{header}\n{''.join(lines)}", encoding="utf-8")

    files = {"answers": tmp_path / "points.csv", "truth": tmp_path / "truth.json"}
    stage("interpret_demo")(sample=sample, landcover=landcover, **files)
    with files["answers"].open(newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert [row["id"] for row in found] == [f"u{n}" for n in range(len(lines))]
    names = {c.code: c.name for c in DEMO_CLASSES}
    right = [row["reference"] == names[code] for row, code in zip(found, codes[rows, columns], strict=True)]
    truth = read_simulated_answers(files["truth"])
    assert (truth.units, truth.wrong) == (len(lines), right.count(False))
    assert 0 < truth.wrong < 0.1 * len(lines)
    assert set(truth.area_ha) == set(names.values())

    first = [path.read_bytes() for path in files.values()]
    stage("interpret_demo")(sample=sample, landcover=landcover, **files)
    assert [path.read_bytes() for path in files.values()] == first
