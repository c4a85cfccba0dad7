"""Shared by workflow_faults.py: a small finished region, copies of it, runs with a fault, comparison of results."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import yaml
from affine import Affine

PROJECT = Path(__file__).parents[1]
SIZE_PX, SCENES = 300, (("west", "train", 0), ("middle", "val", 250))
CONFIG: dict[str, Any] = {
    "scenes": "scenes.csv",
    "legend": {
        "classes": [
            {"code": 10, "name": "water", "color": "#3b7dd8"},
            {"code": 20, "name": "fields", "color": "#e8c95a"},
            {"code": 30, "name": "woods", "color": "#1f6f3a"},
        ]
    },
    "sensors": {"optical": {"bands": ["red", "green", "nir"]}, "sar": {"bands": ["VV"]}},
    "tiling": {"tile_px": 128},
    "training": {"steps": 8, "batch_size": 2, "crop_px": 128, "validate_every": 4, "checkpoint_every": 2},
    "compute": {"device": "cpu"},
}
OUTPUTS = {
    "register_pair": ("work/scenes/west/registration.json",),
    "picture_registration": ("work/scenes/west/registration.png",),
    "tile_scene": ("work/scenes/west/pair.json", "work/scenes/west/pair.zarr", "work/scenes/west/tiles.parquet"),
    "collect_radiometry": ("work/model/radiometry.json",),
    "check_radiometry": ("work/scenes/west/radiometry_check.json",),
    "fit_statistics": ("work/model/statistics.json", "work/model/training_splits.parquet"),
    "audit_splits": ("work/model/audits/north.json", "work/model/audits/north.splits.parquet"),
    "train_model": ("work/model/model.safetensors", "work/model/model.json", "work/checkpoints"),
    "predict_scene": ("work/scenes/west/fused/probabilities.json", "work/scenes/west/fused/probabilities.zarr"),
    "mosaic_region": ("results/north/north.landcover.tif", "results/north/north.item.json"),
    "check_maps": ("results/north/north.check.json",),
    "score_tiles": ("work/scenes/west/fused/scores.parquet",),
    "score_region": ("results/north/metrics.json",),
    "explain_tiles": ("work/scenes/west/explanations.jsonl",),
    "render_report": ("results/north/report.html",),
}
"""Outputs of each stage that are absent before its faults; the first one is a target of the runs."""

COMPARED = (
    *("results/north/*.tif", "results/north/metrics.json", "results/north/*.check.json"),
    *("work/model/model.safetensors", "work/model/statistics.json", "work/model/audits/*.json"),
    *("work/scenes/*/pair.json", "work/scenes/*/*/probabilities.json", "work/scenes/*/registration.json"),
    "work/scenes/*/explanations.jsonl",
)
"""Files that must be identical, byte for byte; manifests contain the hashes of the arrays in the stores."""

QUICK_CHECKS = ("--slurm-init-seconds-before-status-checks=1", "--seconds-between-status-checks=2", "--latency-wait=5")
RUN_S = 600
"""Longest time of a Snakemake run or a wait, seconds; on a busy machine, a time limit costs five minutes."""


def write_scene(folder: Path, offset_px: int) -> None:
    """Write optical, SAR and label of a window of one landscape of three classes, so that neighbours overlap."""
    rng = np.random.default_rng(offset_px)
    world = np.kron(np.random.default_rng(7).integers(0, 3, (8, 16)), np.ones((50, 50), np.int64))
    classes = world[:SIZE_PX, offset_px : offset_px + SIZE_PX]
    optical = np.array([[300, 900, 400], [500, 1100, 700], [200, 2500, 3500]])[:, classes]
    layers = {
        "optical": (optical + rng.normal(0, 60, optical.shape)).clip(0).astype("uint16"),
        "sar": (np.array([0.006, 0.06, 0.16])[classes] * rng.gamma(4.0, 0.25, classes.shape))[None].astype("float32"),
        "label": ((classes[None] + 1) * 10).astype("uint8"),
    }
    folder.mkdir(parents=True)
    for role, values in layers.items():
        profile = {"driver": "GTiff", "height": SIZE_PX, "width": SIZE_PX, "count": len(values), "dtype": values.dtype}
        transform = Affine(10, 0, 600_000 + 10 * offset_px, 0, -10, 5_400_000)
        with rasterio.open(folder / f"{role}.tif", "w", crs="EPSG:32633", transform=transform, **profile) as file:
            file.write(values)


def write_region(folder: Path) -> None:
    """Write two scenes, their sheet and a config file to a new folder."""
    folder.mkdir(parents=True)
    rows = ["scene,region,split,optical,sar,label"]
    for name, split, offset_px in SCENES:
        write_scene(folder / "scenes" / name, offset_px)
        rows.append(
            f"{name},north,{split}," + ",".join(f"scenes/{name}/{role}.tif" for role in ("optical", "sar", "label"))
        )
    (folder / "scenes.csv").write_text("\n".join(rows) + "\n")
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))


@dataclass(frozen=True)
class Run:
    """Exit code and output of a command."""

    code: int
    output: str


@dataclass
class Case:
    """A copy of the finished region in which the outputs of one stage are absent, and the runs in it."""

    folder: Path
    slurm: bool
    python: Path
    targets: tuple[str, ...] = ()
    outputs: list[str] = field(default_factory=list)
    fault: dict[str, Any] = field(default_factory=dict)
    cluster: Any = None
    started: "list[subprocess.Popen[str]]" = field(default_factory=list)

    def inject(self, stage: str, act: str, rename: int = 1) -> None:
        """Plan a fault for the next run."""
        self.fault = {"stage": stage, "act": act, "rename": rename, **self._signals()}

    def _signals(self) -> dict[str, str]:
        return {name: str(self.folder / name) for name in ("fired", "release")}

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Start Snakemake; its output goes to ``snakemake.out``."""
        plan = self.folder / "fault.json"
        plan.write_text(json.dumps(self.fault))
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(PROJECT / "Snakefile")]
        command += ["all", *self.targets, "--configfile", "config.yaml", *words]
        if self.slurm:
            command += ["--profile", str(PROJECT / "profiles" / "slurm"), *QUICK_CHECKS]
        else:
            command += ["--cores", "2"]
        environment = {key: text for key, text in os.environ.items() if not key.startswith("SLURM")}
        environment |= {"PATH": f"{self.python}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
        if self.fault:
            environment["FAULT"] = str(plan)
        with (self.folder / "snakemake.out").open("w") as output:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def end(self) -> None:
        """End the processes and the jobs that are left."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.wait()
        self.recover()

    def run(self, *words: str) -> Run:
        """Run Snakemake to its end."""
        return self.ended(self.start(*words))

    def ended(self, process: "subprocess.Popen[str]") -> Run:
        """Wait for the end of Snakemake and return its output."""
        try:
            code = process.wait(RUN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        self.outputs.append((self.folder / "snakemake.out").read_text(errors="replace"))
        return Run(code, self.outputs[-1])

    def recover(self, *words: str) -> Run:
        """Run the recover step."""
        script = PROJECT / "workflow" / "scripts" / "recover.py"
        call = [sys.executable, str(script), *words]
        done = subprocess.run(call, cwd=self.folder, capture_output=True, text=True, check=False)
        self.outputs.append(done.stdout + done.stderr)
        return Run(done.returncode, self.outputs[-1])

    def wait_for_fault(self, process: "subprocess.Popen[str]") -> None:
        """Wait until the planned fault has happened."""
        wait_until(
            lambda: (self.folder / "fired").exists() or process.poll() is not None,
            f"{self.fault['stage']} is not reached",
        )
        assert (self.folder / "fired").exists(), f"{self.fault['stage']} does not run"

    @property
    def last_line(self) -> str:
        """Last line of the last output."""
        return self.outputs[-1].strip().splitlines()[-1] if self.outputs and self.outputs[-1].strip() else ""

    def release(self) -> None:
        """End a `hold`."""
        (self.folder / "release").touch()


def wait_until(condition: Any, what: str, seconds: float = RUN_S) -> None:  # noqa: ANN401 - a function
    """Wait until a function returns true.

    Raises:
        TimeoutError: it did not.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.05)


@dataclass
class Lab:
    """A finished region, from which each case is copied."""

    folder: Path
    usual_s: dict[tuple[tuple[str, ...], bool], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Write the region and run the workflow undisturbed, unless the folder has such a run."""
        self.python = self.folder / "bin"
        self.python.mkdir(parents=True, exist_ok=True)
        program = self.python / "python"
        injected = Path(__file__).with_name("faults_injected.py")
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{injected}" "$@"\n')
        program.chmod(0o755)
        reference, finished = self.folder / "reference", self.folder / "reference.finished"
        if not finished.exists():
            remove(reference)
            write_region(reference)
            run = Case(reference, slurm=False, python=self.python).run()
            if run.code:
                raise RuntimeError(f"the undisturbed run fails:\n{run.output[-4000:]}")
            finished.touch()
        self.expected = fingerprint(reference)
        listed = {*COMPARED, *(output for outputs in OUTPUTS.values() for output in outputs)}
        if unknown := sorted(pattern for pattern in listed if not any(reference.glob(pattern))):
            raise RuntimeError(f"the undisturbed run has no {', '.join(unknown)}: adapt OUTPUTS and COMPARED")

    def case(self, name: str, stages: Sequence[str], *, slurm: bool) -> Case:
        """Return a copy of the finished region without the outputs of some stages."""
        folder = self.folder / name
        remove(folder)
        shutil.copytree(self.folder / "reference", folder, symlinks=True)
        for stage in stages:
            for output in OUTPUTS[stage]:
                remove(folder / output)
        return Case(folder, slurm, self.python, tuple(OUTPUTS[stage][0] for stage in stages))


def remove(path: Path) -> None:
    """Remove a file or folder."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def fingerprint(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file that is compared."""
    paths = sorted(path for pattern in COMPARED for path in folder.glob(pattern))
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
