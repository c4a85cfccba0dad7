"""A colleague with nothing but the bundle folder and one scene gets the same map."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import rasterio
import yaml

pytestmark = pytest.mark.workflow
Run = Callable[..., CompletedProcess[str]]
STORE = Path("scenes", "east", "fused", "probabilities.zarr")


def chunks(store: Path) -> dict[str, bytes]:
    """Return the chunks of a store's arrays, without their attributes, which have stamps."""
    files = [path for path in store.rglob("*") if path.is_file() and path.name != "zarr.json"]
    return {str(path.relative_to(store)): path.read_bytes() for path in files}


def test_the_bundle_and_one_scene_give_the_same_map(region: Path, snakemake: Run, tmp_path: Path):
    sheet = (region / "scenes.csv").read_text().splitlines()
    (region / "scenes.csv").write_text("\n".join([sheet[0], sheet[1], sheet[3].replace("north", "shore")]) + "\n")
    own = yaml.safe_load((region / "config.yaml").read_text())
    own |= {"bundle": {"licence": "CC-BY-4.0", "zip": True}, "metrics": {"compare_sensors": False}}
    (region / "config.yaml").write_text(yaml.safe_dump(own))
    run = snakemake(region, "--configfile", str(region / "config.yaml"), "--", "pack_bundle")
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-6000:]

    results = tmp_path / "colleague" / "results" / "mapped" / "valley"
    colleague = tmp_path / "colleague"
    shutil.unpack_archive(region / "results" / "model.bundle.zip", colleague)
    shutil.copytree(region / "scenes" / "east", colleague / "data")
    trained = region.rename(tmp_path / "gone")  # nothing of the project can be read
    with (colleague / "model.bundle" / "scenes.csv").open("a") as rows:
        rows.write("east,valley,predict,data/optical.tif,data/sar.tif,,,,\n")
    run = snakemake(colleague, "--configfile", str(colleague / "model.bundle" / "my.yaml"))
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-6000:]

    mapped = colleague / "work" / "mapped"
    assert chunks(mapped / STORE) and chunks(mapped / STORE) == chunks(trained / "work" / STORE)
    with rasterio.open(results / "valley.landcover.tif") as landcover:
        found = landcover.read(1)
    with rasterio.open(trained / "results" / "shore" / "shore.landcover.tif") as landcover:
        assert (found == landcover.read(1)).all()
    check = json.loads((mapped / "scenes" / "east" / "radiometry_check.json").read_text())
    assert check["sensors"]["optical"]["verdict"] == "match"  # compared, not skipped
    card = json.loads((colleague / "model.bundle" / "model.json").read_text())
    given = json.loads((results / "valley.item.json").read_text())["properties"]["clairemap:given_model"]
    assert given["weights_sha256"] == card["weights_sha256"]
    assert [(row["region"], row["split"]) for row in given["accuracy"]] == [
        ("north", "train"),
        ("shore", "test"),
    ]
    page = (results / "report.html").read_text()
    assert card["weights_sha256"] in page and "Its accuracy was measured there, not on this map" in page
    readme = (colleague / "model.bundle" / "README.md").read_text()
    assert "Licence: CC-BY-4.0" in readme and "| west | training | 9 |" in readme

    # a moved and touched folder reruns nothing; a scene of another unit is stopped
    (colleague / "model.bundle").rename(colleague / "elsewhere")
    for path in (colleague / "elsewhere").iterdir():
        path.write_bytes(path.read_bytes().replace(b"model.bundle", b"elsewhere") if path.suffix == ".yaml"
                         else path.read_bytes())  # fmt: skip
    run = snakemake(colleague, "--configfile", str(colleague / "elsewhere" / "my.yaml"), "--dry-run")
    assert "Nothing to be done" in run.stdout + run.stderr, run.stdout + run.stderr
    (colleague / "db.yaml").write_text("sensors: {sar: {scale: db}, on_mismatch: error}\n")
    configs = [str(colleague / "elsewhere" / "my.yaml"), str(colleague / "db.yaml")]
    run = snakemake(
        colleague, "--configfile", *configs, "--", str(mapped / "scenes" / "east" / "radiometry_check.json")
    )
    assert run.returncode != 0


def test_a_fine_tuned_model_is_not_tested_where_its_start_was_trained_without_a_warning(
    region: Path, snakemake: Run, tmp_path: Path
):
    config = ["--configfile", str(region / "config.yaml"), "--"]
    run = snakemake(region, *config, "pack_bundle")
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-6000:]
    bundle = (region / "results" / "model.bundle").rename(tmp_path / "start.bundle")
    (place,) = [each for each in json.loads((bundle / "origin.json").read_text())["places"] if each["split"] == "train"]
    rows = {line.split(",")[0]: line for line in (region / "scenes.csv").read_text().splitlines()}
    test = rows[place["scene"]].replace(",train,", ",test,")
    sheet = [rows["scene"], rows["east"].replace(",test,", ",train,"), test]
    (region / "scenes.csv").write_text("\n".join(sheet) + "\n")
    own = yaml.safe_load((region / "config.yaml").read_text())
    own["training"] = {**own.get("training", {}), "start_from": str(bundle)}
    (region / "config.yaml").write_text(yaml.safe_dump({**own, "work_dir": "tuned", "results_dir": "tuned_results"}))

    audit = Path("tuned", "model", "audits", f"{test.split(',')[1]}.json")
    run = snakemake(region, *config, str(audit))
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-6000:]
    found = json.loads((region / audit).read_text())
    assert found["start_is_known"] is True
    assert found["held_out"]["test"]["overlapping_share"] < 1
    assert found["held_out"]["test"]["start_share"] == pytest.approx(1, abs=0.01)
