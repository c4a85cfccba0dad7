"""What is planned: groups of cluster jobs, which scenes a region needs, names that the sheet does not have."""

import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml

pytestmark = pytest.mark.workflow
Run = Callable[..., CompletedProcess[str]]
PROFILES = Path(__file__).parents[2] / "profiles"


def planned(region: Path, snakemake: Run, *words: str) -> str:
    """Return the output of a dry run."""
    done = snakemake(region, *words, "--configfile", str(region / "config.yaml"), "--dry-run")
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


def groups(plan: str) -> list[set[str]]:
    """Return the jobs of each group, as 'scene: message'."""
    blocks = re.findall(r"Group job .*\n((?:\s*\n|    .*\n)+)", plan)
    return sorted((set(re.findall(r"^    Job \d+: (.+)$", block, re.M)) for block in blocks), key=sorted)


def set_compute(region: Path, **compute: object) -> None:
    config = yaml.safe_load((region / "config.yaml").read_text())
    (region / "config.yaml").write_text(yaml.safe_dump({**config, "compute": compute}))


def cluster_profile(folder: Path, *lines: str) -> Path:
    """Return the SLURM profile without its partitions, with more lines."""
    kept = (PROFILES / "slurm" / "config.yaml").read_text().splitlines()
    text = "\n".join(line for line in kept if "slurm_partition=gpu" not in line)
    text = re.sub(r"^set-resources:.*\n", "", text + "\n", flags=re.M)
    (folder / "profile").mkdir()
    (folder / "profile" / "config.yaml").write_text(text + "\n".join(lines) + "\n")
    return folder / "profile"


def test_the_short_jobs_of_a_scene_are_one_cluster_job(region: Path, snakemake: Run):
    set_compute(region, device="cpu")
    found = groups(planned(region, snakemake, "--profile", str(cluster_profile(region))))
    prepared = ("register SAR to optical", "draw the registration", "resample to the optical grid and store in tiles")
    fused = ("predict class probabilities (fused)", "explain each tile in words")
    scored = "compare map and labels"
    for scene in ("west", "middle", "east", "far"):
        assert {f"{scene}: {what}" for what in prepared} in found
        labelled = {f"{scene}: {scored} (fused)"} if scene != "far" else set()
        assert {f"{scene}: {what}" for what in fused} | labelled in found
    for view in ("optical", "sar"):
        assert {f"east: predict class probabilities ({view})", f"east: {scored} ({view})"} in found
    assert len(found) == 10


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_a_group_neither_holds_a_gpu_nor_mixes_partitions(region: Path, snakemake: Run, device: str):
    set_compute(region, device=device)
    own = [] if device == "cuda" else ["set-resources:", "  - predict_scene:slurm_partition=gpu"]
    found = groups(planned(region, snakemake, "--profile", str(cluster_profile(region, *own))))
    assert not any("predict" in job for jobs in found for job in jobs)
    assert {"west: compare map and labels (fused)", "west: explain each tile in words"} in found


def test_a_region_does_not_need_the_test_scenes_of_others(region: Path, snakemake: Run):
    south = planned(region, snakemake, "results/south/report.html")
    assert "middle: resample" in south and "far: resample" in south
    assert "east: " not in south
    assert "east: resample" in planned(region, snakemake, "results/north/report.html")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("work/scenes/wset/pair.json", "no scene 'wset' (did you mean 'west'?)"),
        ("results/nroth/report.html", "no region 'nroth' (did you mean 'north'?)"),
        ("results/north/south.landcover.tif", "region 'north' has no map 'south'"),
    ],
)
def test_unknown_names_are_errors(region: Path, snakemake: Run, target: str, message: str):
    done = snakemake(region, target, "--configfile", str(region / "config.yaml"), "--dry-run")
    assert done.returncode != 0
    assert message in done.stdout + done.stderr
