"""The whole workflow on real scenes. Small networks and few steps: the way counts here, not the accuracy."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
import rasterio
import yaml
from rio_cogeo import cog_validate

pytestmark = pytest.mark.real
HERE = Path(__file__).parent
Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def mapped(real_data: Path, tmp_path: Path, snakemake: Run) -> Callable[..., Path]:
    """Return a function that maps a set of scenes, checks what every run must fulfil, and gives the results' folder.

    ``mapped("floods", "flood_b")`` leaves a scene out.
    """

    def run(name: str, *left_out: str) -> Path:
        rows = (HERE / name / "scenes.csv").read_text().splitlines(keepends=True)
        (tmp_path / "scenes.csv").write_text("".join(row for row in rows if row.split(",")[0] not in left_out))
        values = [f"scenes={tmp_path / 'scenes.csv'}", f"data_dir={real_data}"]
        words = ["--configfile", str(HERE / name / "config.yaml"), "--config", *values]
        done = snakemake(tmp_path, *words)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-8000:]
        again = snakemake(tmp_path, *words)
        assert "Nothing to be done" in again.stdout + again.stderr
        return tmp_path / "results"

    return run


def check_map(path: Path, config: str) -> rasterio.DatasetReader:
    """Check a land-cover map's form and return it opened: a strict COG with palette, names and legend values."""
    valid, errors, warnings = cog_validate(path, strict=True, quiet=True)
    assert valid, (errors, warnings)
    classes = yaml.safe_load((HERE / config / "config.yaml").read_text())["legend"]["classes"]
    dataset = rasterio.open(path)
    palette = dataset.colormap(1)
    for entry in classes:
        assert "#{:02x}{:02x}{:02x}".format(*palette[entry["code"]][:3]) == entry["color"].lower()
        assert entry["name"] in dataset.tags(1).values()
        assert entry["name"] in path.with_name(path.name + ".aux.xml").read_text()
    values = set(np.unique(dataset.read(1)).tolist())
    assert values <= {entry["code"] for entry in classes} | {255}
    assert dataset.nodata == 255
    return dataset


def metrics_of(results: Path, region: str) -> dict[str, object]:
    """Return a region's accuracy; its report must exist next to it."""
    assert (results / region / "report.html").stat().st_size > 10_000
    return json.loads((results / region / "metrics.json").read_text())


def test_floods_without_crs_and_with_gaps(mapped: Callable[..., Path], real_data: Path):
    results = mapped("floods", "flood_b", "flood_c")  # four scenes suffice
    metrics = metrics_of(results, "floods")
    assert metrics["split"] == "test"
    assert 0 < metrics["miou"] < 1
    assert set(metrics["views"]) == {"fused", "optical", "sar"}
    with (
        check_map(results / "floods" / "flood_f.landcover.tif", "floods") as landcover,
        rasterio.open(real_data / "flood_f" / "optical.tif") as optical,
        rasterio.open(real_data / "flood_f" / "sar.tif") as sar,
    ):
        assert landcover.crs is None
        either = (optical.dataset_mask() > 0) | (sar.dataset_mask() > 0)
        np.testing.assert_array_equal(landcover.read(1) != 255, either)


def test_los_angeles_mosaic_of_large_scenes(mapped: Callable[..., Path], real_data: Path):
    results = mapped("los_angeles")
    assert metrics_of(results, "los_angeles")["split"] == "train"
    with (
        check_map(results / "los_angeles" / "los_angeles.landcover.tif", "los_angeles") as landcover,
        rasterio.open(real_data / "la_west" / "optical.tif") as west,
        rasterio.open(real_data / "la_east" / "optical.tif") as east,
    ):
        assert landcover.crs == west.crs
        assert landcover.bounds.left <= west.bounds.left
        assert landcover.bounds.right >= east.bounds.right
        row, col = landcover.index(*east.xy(east.height // 2, east.width // 2))
        assert landcover.read(1)[row, col] != 255


def test_terramesh_patches_smaller_than_a_window(mapped: Callable[..., Path]):
    results = mapped("terramesh")
    for region, epsg in (("zone_18", 32718), ("zone_22", 32722), ("zone_36", 32736)):
        cautions = metrics_of(results, region)["cautions"]
        assert any("flooded vegetation, built, snow, clouds" in text for text in cautions)
        with check_map(results / region / f"{region}.landcover.tif", "terramesh") as landcover:
            assert landcover.crs.to_epsg() == epsg
            assert landcover.shape == (224, 224)
    cautions = metrics_of(results, "zone_18")["cautions"]
    assert "the values are about 1,000 higher than in the training scenes (darkest 1,0" in cautions[0]
    scene = results.parent / "work" / "scenes" / "433D_629L_3_1"
    facts = json.loads((scene / "explanations.jsonl").read_text().splitlines()[0])["facts"]
    assert facts["unseen"] == ["flooded vegetation", "built"]  # the labels have them, the training scenes do not
    assert facts["cloud_pct"] is None


def test_sen1floods11_nan_nodata_and_degrees(mapped: Callable[..., Path], real_data: Path):
    results = mapped("sen1floods11")
    metrics = metrics_of(results, "spain")
    assert {"train", "val", "test"} <= set(metrics["splits"])
    with (
        check_map(results / "spain" / "spain.landcover.tif", "sen1floods11") as landcover,
        rasterio.open(real_data / "sen1floods11_spain" / "optical.tif") as optical,
    ):
        assert landcover.crs.to_epsg() == 4326
        assert landcover.transform.almost_equals(optical.transform, 1e-9)


def test_whu_opt_sar_patches(mapped: Callable[..., Path]):
    results = mapped("whu_opt_sar")
    metrics = metrics_of(results, "whu")
    assert [entry["name"] for entry in metrics["per_class"]][0] == "farmland"
    maps = sorted((results / "whu").glob("*.landcover.tif"))
    assert len(maps) == 8
    for path in maps:
        check_map(path, "whu_opt_sar").close()
