"""Shared by workflow.py: a sample sheet of many scenes, a copy of the workflow whose jobs do nothing, and timing."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[1]
BARE = Path(__file__).with_name("workflow_bare.smk")
SCENES_IN_REGION = 200
LABELLED_EACH = 25
SPLITS = ("train", "train", "val", "test")
COPIED = ("config", "envs", "profiles", "src", "workflow")

NOTHING = (
    "for file in {output:q}; do mkdir -p $(dirname $file); case $file in *.zarr) mkdir -p $file;; *) touch $file;; "
    "esac; done"
)
"""Jobs of the copy only create their outputs, like those of `workflow_bare.smk`."""

SHELL = re.compile(r"^    shell:\n(?:        .*\n)+", re.MULTILINE)

JOB = shlex.split("""
    --cores all --attempt 1 --force-use-threads --force --target-files-omit-workdir-adjustment --max-inventory-time 0
    --nocolor --no-hooks --nolock --ignore-incomplete --rerun-triggers software-env params input mtime code
    --conda-frontend conda --shared-fs-usage storage-local-copies persistence sources software-deployment-cache
    software-deployment input-output source-cache --latency-wait 5 --scheduler greedy --mode remote
    --default-resources runtime=60
""")
"""Options with which the SLURM executor starts Snakemake on a node."""


@dataclass(frozen=True)
class Cost:
    """CPU seconds of a command with its children, and its largest memory in MB."""

    cpu_s: float
    rss_mb: float
    output: str


def make_folder(folder: Path, scenes: int) -> None:
    """Write a sheet of scenes in regions of 200; one of 25 has labels. Raster files exist and are empty."""
    (folder / "data").mkdir(parents=True)
    rows = ["scene,region,split,optical,sar,label,optical_date,sar_date"]
    for number in range(scenes):
        labelled = number % LABELLED_EACH == 0
        split = SPLITS[number // LABELLED_EACH % len(SPLITS)] if labelled else "predict"
        roles = ("optical", "sar", "label") if labelled else ("optical", "sar")
        files = [f"data/s{number:05d}_{role}.tif" for role in roles]
        for file in files:
            (folder / file).touch()
        cells = [f"s{number:05d}", f"region{number // SCENES_IN_REGION:03d}", split, *files]
        rows.append(",".join([*cells, *[""] * (6 - len(cells)), "2026-05-12", "2026-05-13"]))
    (folder / "scenes.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "config.yaml").write_text("scenes: scenes.csv\ncompute: {device: cpu}\n", encoding="utf-8")


def workflow_without_work(folder: Path) -> Path:
    """Return the Snakefile of a copy of the workflow whose jobs only create their outputs."""
    for part in COPIED:
        shutil.copytree(PROJECT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for rules in (folder / "workflow" / "rules").glob("*.smk"):
        text = rules.read_text(encoding="utf-8")
        rules.write_text(SHELL.sub(lambda _: f"    shell:\n        {NOTHING!r}\n", text), encoding="utf-8")
    return Path(shutil.copy(PROJECT / "Snakefile", folder))


def snakemake(snakefile: Path, folder: Path, words: Sequence[str]) -> Cost:
    """Run Snakemake in a folder and return what it cost.

    Raises:
        RuntimeError: it failed.
    """
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile), "--configfile", "config.yaml", *words]
    command += [] if "--mode" in words else ["--workflow-profile", str(PROJECT / "profiles" / "default")]
    with (folder / "output.txt").open("w+", encoding="utf-8") as output:
        started = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(started.pid, 0)
        started.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if started.returncode:
        raise RuntimeError(f"{snakefile}: Snakemake failed with exit code {started.returncode}:\n{text[-3000:]}")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, text)
