"""A published data set, from its folder to map, metrics and report: few chips, a tiny network, two steps."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
import rasterio
import yaml

pytestmark = pytest.mark.workflow
PROJECT = Path(__file__).parents[2]
Run = Callable[..., CompletedProcess[str]]
QUICK = {
    "network": {"size": "tiny"},
    "training": {"steps": 2, "batch_size": 2, "crop_px": 128, "calibrate": False},
    "metrics": {"compare_sensors": False},
}


def test_pie_rgb_sar_runs_from_its_folder_to_the_report(
    snakemake: Run, stage: Callable[[str], Callable[..., Any]], made_datasets: ModuleType, tmp_path: Path
):
    made_datasets.pie_rgb_sar(tmp_path / "PIE", train=4, test=2)
    stage("list_dataset")(
        dataset="pie_rgb_sar", folder=tmp_path / "PIE", sheet=tmp_path / "data" / "pie_rgb_sar" / "scenes.csv"
    )
    (tmp_path / "quick.yaml").write_text(yaml.safe_dump(QUICK))
    configs = [str(PROJECT / "config" / "datasets" / "pie_rgb_sar.yaml"), str(tmp_path / "quick.yaml")]
    run = snakemake(tmp_path, "--configfile", *configs)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-6000:]

    results, work = tmp_path / "results" / "pie_rgb_sar", tmp_path / "work" / "pie_rgb_sar" / "scenes"
    metrics = json.loads((results / "metrics.json").read_text())
    assert metrics["split"] == "test" and metrics["splits"]["test"]["pixels"] == 2 * 256 * 256
    for name, chips in (("train", 4), ("test", 2)):
        scene = f"pie_rgb_sar_{name}_01"
        with rasterio.open(results / f"{scene}.landcover.tif") as landcover:
            assert landcover.crs is None and landcover.height * landcover.width == chips * 256 * 256
        registration = json.loads((work / scene / "registration.json").read_text())
        assert registration["verdict"] == "as_delivered" and registration["applied"] is False
        tiles = pd.read_parquet(work / scene / "tiles.parquet")
        assert len(tiles) == chips and set(tiles["height"]) == set(tiles["width"]) == {256}
    page = (results / "report.html").read_text()
    assert "as delivered" in page and "nothing estimated" in page
