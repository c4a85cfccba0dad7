"""Bad input: an error with file, value, remedy and exit code; the other scenes continue."""

import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
import rasterio
import yaml

pytestmark = pytest.mark.workflow
Run = Callable[..., CompletedProcess[str]]
ROLES = ("optical", "sar", "label")


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


FAULTS: dict[Callable[[Path], None], tuple[str, list[str]]] = {
    missing: ("MissingFileError, exit code 12", ["sar.tif", "sample sheet"]),
    truncated: ("UnreadableFileError, exit code 13", ["sar.tif", "download it again"]),
    no_overlap: ("NoOverlapError, exit code 14", ["sar.tif", "optical.tif"]),
    band_counts: ("BandCountError, exit code 15", ["optical.tif", "2 band", "3"]),
    foreign_labels: ("LabelError, exit code 16", ["label.tif", "77", "legend"]),
    decibels: ("ValuesError, exit code 27", ["sar.tif", "linear_power", "sensors.sar.scale: db"]),
    all_nodata: ("EmptySceneError, exit code 17", ["all_nodata"]),
}
"""Function that damages a scene, which gets its name; error and words of its message."""


def test_a_bad_scene_does_not_stop_the_others(region: Path, snakemake: Run):
    """One run with two good scenes and one scene per fault."""
    rows = (region / "scenes.csv").read_text().splitlines()[:3]
    for spoil in FAULTS:
        name = spoil.__name__
        shutil.copytree(region / "scenes" / "east", region / "scenes" / name)
        spoil(region / "scenes" / name)
        rows.append(",".join([name, "north", "test", *(f"scenes/{name}/{role}.tif" for role in ROLES)]))
    (region / "scenes.csv").write_text("\n".join(rows) + "\n")
    scenes = ["west", "middle", *(spoil.__name__ for spoil in FAULTS)]
    targets = [f"work/scenes/{name}/pair.json" for name in scenes]
    run = snakemake(region, *targets, "--configfile", str(region / "config.yaml"))
    output = run.stdout + run.stderr
    assert run.returncode != 0
    assert "Traceback" not in output
    for spoil, (error, words) in FAULTS.items():
        logs = list((region / "work" / "logs").rglob(f"{spoil.__name__}.log"))
        last = max(logs, key=lambda path: path.stat().st_mtime).read_text() if logs else ""
        assert error in last, (spoil.__name__, last)
        assert all(word in last for word in words), (spoil.__name__, last)
        assert last.strip().splitlines()[-1] in output
        assert output.count(error) == 2 * last.count(error)  # in the log and in the summary; no other scene fails so
    assert {name for name in scenes if (region / "work" / "scenes" / name / "pair.json").exists()} == {"west", "middle"}
    assert not list((region / "work" / "scenes").rglob("*.part"))
    assert "Complete regions" not in output  # no results of a region were requested


def test_the_end_of_a_run_names_the_incomplete_regions(region: Path, snakemake: Run):
    """Without a train scene nothing after tiling can run."""
    rows = (region / "scenes.csv").read_text().splitlines()
    (region / "scenes.csv").write_text("\n".join([rows[0], rows[1], rows[4]]) + "\n")
    truncated(region / "scenes" / "west")
    run = snakemake(region, "--configfile", str(region / "config.yaml"))
    last = (run.stdout + run.stderr).split("1 failed job(s)")[1]
    assert run.returncode != 0 and "- register_pair west: " in last
    assert "Complete regions: none. Incomplete regions:\n- north: not made: maps, accuracy, report;" in last
    assert "report; failed scenes: west\n- south: not made: " in last
    assert "report; scenes of other regions failed\n" in last and "remove its row from scenes.csv" in last


def test_all_faults_of_the_sheet_are_in_one_message(region: Path, snakemake: Run):
    sheet = (region / "scenes.csv").read_text()
    (region / "scenes.csv").write_text(sheet.replace(",val,", ",vall,") + sheet.splitlines()[1] + "\n")
    run = tile_all(region, snakemake, "--dry-run")
    output = run.stdout + run.stderr
    assert run.returncode == 11
    assert "row 3" in output and "'vall'" in output and "did you mean 'val'" in output
    assert "row 6: same optical and sar files as row 2: remove one row" in output
    assert "Traceback" not in output


def test_unknown_settings_key_is_named(region: Path, snakemake: Run):
    config = yaml.safe_load((region / "config.yaml").read_text())
    (region / "config.yaml").write_text(yaml.safe_dump({**config, "traning": {"steps": 3}}))
    run = tile_all(region, snakemake, "--dry-run")
    assert run.returncode == 10
    assert "traning" in run.stdout + run.stderr


@pytest.mark.parametrize(
    ("folder", "words"), [("a_file/results", "a_file is a file"), ("/proc/results", "nothing can be written to /proc")]
)
def test_a_folder_that_cannot_be_written_is_found_before_any_job(region: Path, snakemake: Run, folder: str, words: str):
    (region / "a_file").touch()
    run = tile_all(region, snakemake, "--config", f"results_dir={folder}")
    output = run.stdout + run.stderr
    assert run.returncode == 10
    assert f"results_dir: {words}" in output
    assert "Traceback" not in output
    assert not (region / "work" / "scenes").exists()
