import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from clairemap.artefacts.metrics import write_metrics
from clairemap.report.content import ReportContent
from clairemap.report.regions_index import RegionFigures, changes, write_index

Rescored = Callable[..., ReportContent]


def region(results: Path, content: ReportContent, day: int = 1) -> None:
    folder = results / "vale"
    folder.mkdir(parents=True, exist_ok=True)
    profile = {"driver": "GTiff", "height": 40, "width": 60, "count": 1, "dtype": "uint8", "nodata": 255}
    with rasterio.open(
        folder / "vale.landcover.tif", "w", crs="EPSG:32632", transform=Affine(10, 0, 7e5, 0, -10, 5e6), **profile
    ) as raster:
        raster.write(np.full((40, 60), 2, np.uint8), 1)
    write_metrics(folder / "metrics.json", content.metrics)
    (folder / "report.html").write_text("made")
    os.utime(folder / "report.html", (86400 * day, 86400 * day))


def test_regions_have_a_map_figures_and_what_changed(tmp_path: Path, content: ReportContent, rescored: Rescored):
    maps = {"vale": ["vale"], "moor": ["moor"]}
    region(tmp_path, content)
    first = write_index(tmp_path, maps, content.legend).read_text(encoding="utf-8")
    assert 'href="vale/report.html"' in first and "data:image/png" in first and "1970-01-02" in first
    assert "first run" in first and "There is no report yet." in first
    region(tmp_path, rescored(np.array([[60, 0, 0], [0, 95, 5], [0, 0, 40]])), day=3)
    second = write_index(tmp_path, maps, content.legend).read_text(encoding="utf-8")
    assert "first run" not in second and "overall accuracy 85.0 % before, 97.5 % now" in second
    again = write_index(tmp_path, maps, content.legend).read_text(encoding="utf-8")
    assert again == second  # the same report is not a change


def test_a_damaged_page_or_region_does_not_stop_the_others(tmp_path: Path, content: ReportContent):
    region(tmp_path, content)
    (tmp_path / "index.html").write_text('<script type="application/json" id="data">{"regions": 3}</script>')
    (tmp_path / "vale" / "metrics.json").write_text("{}")
    assert "metrics.json" in write_index(tmp_path, {"vale": ["vale"]}, content.legend).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ({"miou": 0.5}, {"miou": 0.6}, ["mIoU 50.0 % before, 60.0 % now"]),
        ({"oa": None}, {"oa": 0.6}, ["overall accuracy – before, 60.0 % now"]),
        ({"area_ha": {"water": 10.0}}, {"area_ha": {"water": 12.0}}, ["water 10.0 ha before, 12.0 ha now"]),
        ({"miou": 0.5}, {"miou": 0.5001}, ["differences too small to be named"]),
    ],
)
def test_changes_are_named(old: dict[str, object], new: dict[str, object], said: list[str]):
    same: dict[str, object] = {"miou": None, "oa": None, "estimated_oa": None, "area_ha": {}}
    before, now = (RegionFigures.model_validate({**same, **values}) for values in (old, new))
    assert changes(before, now) == said
