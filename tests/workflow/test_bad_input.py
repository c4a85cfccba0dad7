"""Faults in the input: an error that names file, value and remedy, its exit code, and the other scenes go on."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
import rasterio
import yaml

pytestmark = pytest.mark.workflow
Run = Callable[..., CompletedProcess[str]]


def tile_all(region: Path, snakemake: Run, *words: str) -> CompletedProcess[str]:
    """Run registration and tiling of all scenes."""
    targets = [f"work/scenes/{name}/pair.json" for name in ("west", "middle", "east")]
    return snakemake(region, *targets, "--configfile", str(region / "config.yaml"), *words)


def rewrite(path: Path, change: Callable[[np.ndarray], np.ndarray], **profile: object) -> None:
    """Write a raster again with changed values or another profile."""
    with rasterio.open(path) as file:
        kept, values = file.profile, change(file.read())
    with rasterio.open(path, "w", **{**kept, "count": len(values), **profile}) as file:
        file.write(values)


def missing(folder: Path) -> None:
    (folder / "sar.tif").unlink()


def truncated(folder: Path) -> None:
    content = (folder / "sar.tif").read_bytes()
    (folder / "sar.tif").write_bytes(content[: len(content) // 2])


def no_overlap(folder: Path) -> None:
    rewrite(folder / "sar.tif", lambda values: values, transform=rasterio.Affine(10, 0, 900_000, 0, -10, 5_400_000))


def band_counts(folder: Path) -> None:
    rewrite(folder / "optical.tif", lambda values: values[:2])


def foreign_labels(folder: Path) -> None:
    rewrite(folder / "label.tif", lambda values: np.where(values == 30, np.uint8(77), values))


def all_nodata(folder: Path) -> None:
    for role in ("optical", "sar"):
        rewrite(folder / f"{role}.tif", np.zeros_like, nodata=0)


def decibels(folder: Path) -> None:
    rewrite(folder / "sar.tif", lambda values: 10 * np.log10(values))


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (missing, "MissingFileError, exit code 12", ["sar.tif", "sample sheet"]),
        (truncated, "UnreadableFileError, exit code 13", ["sar.tif", "fetch it again"]),
        (no_overlap, "NoOverlapError, exit code 14", ["sar.tif", "optical.tif"]),
        (band_counts, "BandCountError, exit code 15", ["optical.tif", "2 band", "3"]),
        (foreign_labels, "LabelError, exit code 16", ["label.tif", "77", "legend"]),
        (decibels, "ValuesError, exit code 27", ["sar.tif", "linear_power", "sensors.sar.scale: db"]),
        (all_nodata, "EmptySceneError, exit code 17", ["east"]),
    ],
)
def test_a_bad_scene_fails_alone(
    spoil: Callable[[Path], None], error: str, words: list[str], region: Path, snakemake: Run
):
    spoil(region / "scenes" / "east")
    run = tile_all(region, snakemake)
    output = run.stdout + run.stderr
    assert run.returncode != 0
    assert error in output
    assert all(word in output for word in words), output[-3000:]
    assert "Traceback" not in output
    made = {name for name in ("west", "middle", "east") if (region / "work" / "scenes" / name / "pair.json").exists()}
    assert made == {"west", "middle"}
    assert not list((region / "work" / "scenes").rglob("*.part"))


def test_all_faults_of_the_sheet_stand_in_one_message(region: Path, snakemake: Run):
    sheet = (region / "scenes.csv").read_text()
    (region / "scenes.csv").write_text(sheet.replace(",val,", ",vall,") + sheet.splitlines()[1] + "\n")
    run = tile_all(region, snakemake, "--dry-run")
    output = run.stdout + run.stderr
    assert run.returncode == 11
    assert "row 3" in output and "'vall'" in output and "did you mean 'val'" in output
    assert "row 6" in output and "stands in row 2 too" in output
    assert "Traceback" not in output


def test_unknown_settings_key_is_named(region: Path, snakemake: Run):
    config = yaml.safe_load((region / "config.yaml").read_text())
    (region / "config.yaml").write_text(yaml.safe_dump({**config, "traning": {"steps": 3}}))
    run = tile_all(region, snakemake, "--dry-run")
    assert run.returncode == 10
    assert "traning" in run.stdout + run.stderr
