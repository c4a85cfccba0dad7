"""The commands of docs/results.md, run as printed, on a small scene in the place of the demo's."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import rasterio

from clairemap.stages import MosaicRegion, stage_json

PAGE = Path(__file__).parents[2] / "docs" / "results.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
CHECKS = """
import json
results = {
    "means": [float(mean) for mean in means],
    "counts": [int(count) for count in counts],
    "cloud": float(cloudy),
    "entropy": float(entropy.max()),
    "ndvi": float(ndvi.mean()),
}
print(json.dumps(results))
"""


def test_the_page_runs_as_printed(
    tmp_path: Path, mapped_scene: SimpleNamespace, made_pairs: ModuleType, stage: Callable[[str], Callable[..., Any]]
):
    scene = tmp_path / "work" / "scenes" / "centre_south"
    scene.parent.mkdir(parents=True)
    shutil.move(mapped_scene.made.pair.parent, scene)
    stage("mosaic_region")(
        maps=tmp_path / "results" / "demo" / "demo",
        probabilities=[scene / "fused" / "probabilities.zarr"],
        dates=["2026-05-12"],
        settings=stage_json(made_pairs.settings(), MosaicRegion),
    )
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(blocks) == 7
    script = "\n".join(["import matplotlib", 'matplotlib.use("Agg")', *blocks, CHECKS])
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])

    mapped = mapped_scene.mapped
    assert found["counts"] == [int((mapped == index).sum()) for index in range(3)]
    water = np.where(mapped == 0, 0.8, np.where(mapped == 2, 26 / 255, 0))
    rows, columns = np.mgrid[: mapped.shape[0], : mapped.shape[1]]
    side = mapped.shape[1] / 4
    west = (rows >= 256 - side) & (rows < 256) & (columns >= 192 - side) & (columns < 192)
    east = (rows >= 256) & (rows < 256 + side) & (columns >= 192) & (columns < 192 + side)
    expected = [water[zone & (mapped != 255)].mean() for zone in (west, east)]
    assert np.allclose(found["means"], expected, atol=1e-3)
    made = mapped_scene.made
    clear = (made.validity & (made_pairs.OPTICAL_NODATA | made_pairs.CLOUD)) == 0
    red, nir = made.optical[:, clear].astype(float)
    assert np.isclose(found["ndvi"], ((nir - red) / (nir + red)).mean(), atol=1e-3)
    assert 0 < found["cloud"] <= found["entropy"] < 1
    for picture in ("demo_maps", "demo_uncertainty"):
        assert (tmp_path / "results" / f"{picture}.png").stat().st_size > 10_000
    with rasterio.open(tmp_path / "results" / "demo_west.tif") as part:
        assert part.shape == (512, 192) and part.nodata == 255 and part.dtypes == ("uint8",)
        assert np.array_equal(part.read(1), np.where(mapped == 255, 255, mapped + 1)[:, :192])
