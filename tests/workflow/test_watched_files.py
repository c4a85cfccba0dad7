"""The files behind a raster are watched, and Snakemake accepts all allowed names of files and classes."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml
from rasterio.shutil import copy as copy_raster

pytestmark = pytest.mark.workflow
Run = Callable[..., CompletedProcess[str]]
TARGETS = ("work/scenes/west/pair.json",)


def run(region: Path, snakemake: Run, *words: str) -> str:
    done = snakemake(region, *TARGETS, "--configfile", str(region / "config.yaml"), *words)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output[-4000:]
    return output


def remade(region: Path, snakemake: Run) -> bool:
    return "Nothing to be done" not in run(region, snakemake, "--dry-run")


def name_in_sheet(region: Path, old: str, new: str) -> None:
    sheet = region / "scenes.csv"
    sheet.write_text(sheet.read_text().replace(old, new))


def test_files_behind_a_virtual_raster_are_watched(region: Path, snakemake: Run):
    west = region / "scenes" / "west"
    copy_raster(west / "optical.tif", west / "inner.vrt", driver="VRT")
    (west / "outer.vrt").write_text((west / "inner.vrt").read_text().replace("optical.tif", "inner.vrt"))
    name_in_sheet(region, "scenes/west/optical.tif", "scenes/west/outer.vrt")
    run(region, snakemake)
    assert not remade(region, snakemake)
    kept = (west / "optical.tif").read_bytes()
    shutil.copy(region / "scenes" / "middle" / "optical.tif", west / "optical.tif")
    assert remade(region, snakemake)
    (west / "optical.tif").write_bytes(kept)
    assert not remade(region, snakemake)
    mask = west / "optical.tif.msk"
    shutil.copy(west / "label.tif", mask)
    os.utime(mask, (1e9, 1e9))
    assert remade(region, snakemake)


def test_braces_in_paths_and_names_are_allowed(region: Path, snakemake: Run):
    odd = region / "scenes" / "{x} {scene} $HOME %s 'q'"
    shutil.move(region / "scenes" / "west", odd)
    name_in_sheet(region, "scenes/west/", f"scenes/{odd.name}/")
    config = yaml.safe_load((region / "config.yaml").read_text())
    config["legend"]["classes"][0]["name"] = "{x} {scene} }{ $HOME \"q\" 'p' \\ *"
    config["report"] = {"title": "{region}"}
    (region / "config.yaml").write_text(yaml.safe_dump(config))
    run(region, snakemake)
    assert not remade(region, snakemake)
    os.utime(odd / "sar.tif")
    assert not remade(region, snakemake)
    shutil.copy(region / "scenes" / "middle" / "sar.tif", odd / "sar.tif")
    assert remade(region, snakemake)
    snakemake_all = snakemake(region, "--configfile", str(region / "config.yaml"), "--dry-run")
    assert snakemake_all.returncode == 0, snakemake_all.stderr[-3000:]


def test_a_changed_link_reruns_its_scene(region: Path, snakemake: Run):
    (region / "scenes" / "current").symlink_to("west")
    name_in_sheet(region, "scenes/west/", "scenes/current/")
    run(region, snakemake)
    assert not remade(region, snakemake)
    for file in (region / "scenes" / "middle").iterdir():
        os.utime(file, (1e9, 1e9))
    (region / "scenes" / "current").unlink()
    (region / "scenes" / "current").symlink_to("middle")
    assert remade(region, snakemake)


@pytest.mark.parametrize("key", ["work_dir", "results_dir"])
def test_braces_in_output_folders_are_an_error(region: Path, snakemake: Run, key: str):
    done = snakemake(region, "--configfile", str(region / "config.yaml"), "--config", f"{key}=a{{x}}", "--dry-run")
    assert done.returncode == 10
    assert f"{key}: 'a{{x}}' contains braces" in done.stdout + done.stderr


def test_a_missing_gpu_is_an_error_before_anything_runs(region: Path, snakemake: Run):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    config = yaml.safe_load((region / "config.yaml").read_text())
    (region / "config.yaml").write_text(yaml.safe_dump({**config, "compute": {"device": "cuda"}}))
    done = snakemake(region, "--configfile", str(region / "config.yaml"))
    assert done.returncode == 10
    assert "compute.device is cuda, but PyTorch sees no GPU here" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (region / "work" / "scenes").exists()
    output = run(region, snakemake)  # what needs no GPU runs
    assert re.search(r"Provided resources: gpu=\D*1\b", output), output[:3000]
