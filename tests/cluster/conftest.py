"""A real SLURM for tests, and Snakemake under the SLURM profile.

Tests with `slurm_cluster` are marked `cluster`, and skipped with a reason on machines that cannot run it. They share
the cluster with tests of other processes, unless they change the cluster itself: `@pytest.mark.cluster(alone=True)`.
"""

import fcntl
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).parents[2]
QUICK = ("--slurm-init-seconds-before-status-checks=1", "--latency-wait=5")
"""Shorter times than in the profile: the toy cluster has no network."""


def _toy_cluster() -> ModuleType:
    name = "toy_cluster"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None and spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(scope="session")
def toy_cluster_module() -> ModuleType:
    """Return ``tests/cluster/toy_cluster.py``, without starting the cluster."""
    return _toy_cluster()


@pytest.fixture(scope="session")
def _running_cluster() -> Iterator[Any]:
    module = _toy_cluster()
    if reason := module.reason_against():
        pytest.skip(reason)
    pytest.importorskip("snakemake_executor_plugin_slurm", reason="no SLURM executor: pip install -e '.[slurm]'")
    with module.toy_cluster() as cluster:
        yield cluster


@pytest.fixture
def slurm_cluster(_running_cluster: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Yield the running cluster (``toy_cluster.ToyCluster``); started once for all tests of all workers.

    A test marked with ``alone=True`` has the cluster for itself, and leaves it empty with all nodes up.
    """
    marker = request.node.get_closest_marker("cluster")
    alone = marker is not None and bool(marker.kwargs.get("alone"))
    with (_toy_cluster().LOCKS / "clairemap-toy-cluster.tests.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        try:
            yield _running_cluster
        finally:
            if alone:
                _running_cluster.reset()


def environment() -> dict[str, str]:
    """Return the environment for Snakemake and its jobs: this Python first, the checkout's package, one thread."""
    return {
        **_toy_cluster()._clean_environment(),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(PROJECT / "src"),
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture
def start_on_slurm(slurm_cluster: Any) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Yield a function that starts Snakemake in a folder under the SLURM profile and returns its process.

    ``start_on_slurm(folder, "--configfile", path)``; its output goes to ``folder / "snakemake.out"``. Processes and
    jobs that are left at the end of the test are ended.
    """
    del slurm_cluster
    started: list[subprocess.Popen[str]] = []
    folders: list[Path] = []

    def start(
        folder: Path, *words: str, project: Path = PROJECT, profile: Path | None = None
    ) -> "subprocess.Popen[str]":
        folders.append(folder)
        command = [sys.executable, str(Path(__file__).with_name("polling_snakemake.py"))]
        command += ["--snakefile", str(project / "Snakefile")]
        command += ["--directory", str(folder), "--profile", str(profile or project / "profiles" / "slurm")]
        with (folder / "snakemake.out").open("w") as output:
            process = subprocess.Popen(
                [*command, *QUICK, *words],
                cwd=folder,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()
    for folder in folders:
        cancel_jobs_of(folder)


def cancel_jobs_of(folder: Path) -> None:
    """Cancel the jobs that were submitted in a folder."""
    cluster = _toy_cluster().ToyCluster()
    if ids := cluster.jobs_in(folder):
        cluster.run("scancel", *ids, check=False)


@pytest.fixture
def run_on_slurm(
    start_on_slurm: Callable[..., "subprocess.Popen[str]"],
) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Return a function like `start_on_slurm` that waits for the end (at most `timeout` seconds).

    The output is that of both streams.
    """

    def run(folder: Path, *words: str, timeout: float = 550, **where: Any) -> "subprocess.CompletedProcess[str]":
        process = start_on_slurm(folder, *words, **where)
        code = process.wait(timeout)
        return subprocess.CompletedProcess(list(words), code, stdout=(folder / "snakemake.out").read_text())

    return run


SCENES = {"west_south": "train", "east_south": "val", "east_north": "test"}
QUICK_SETTINGS = {
    "compute": {"device": "cpu"},
    "network": {"size": "tiny"},
    "tiling": {"tile_px": 128},
    "training": {
        "steps": 4,
        "batch_size": 2,
        "crop_px": 128,
        "validate_every": 4,
        "checkpoint_every": 2,
        "calibrate": False,
    },
    "metrics": {"compare_sensors": False},
}


@pytest.fixture(scope="session")
def _simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small scenes of the demo's region."""
    folder = tmp_path_factory.mktemp("simulated")
    script = PROJECT / "workflow" / "scripts" / "simulate_scene.py"
    for name in SCENES:
        command = [sys.executable, str(script), "--scene", name, "--directory", str(folder), "--size-px", "256"]
        subprocess.run(command, check=True, capture_output=True, env=environment())
    return folder


@pytest.fixture
def demo(_simulated: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that makes a folder to run the demo in: `demo("first")`.

    It contains three scenes of 256 px, scenes.csv and quick.yaml: a tiny network, few steps.
    """

    def make(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        rows = ["scene,region,split,optical,sar,label,cloud"]
        for scene, split in SCENES.items():
            files = [str(_simulated / scene / f"{role}.tif") for role in ("optical", "sar", "label", "cloud")]
            rows.append(",".join([scene, "demo", split, *files]))
        (folder / "scenes.csv").write_text("\n".join(rows) + "\n")
        (folder / "quick.yaml").write_text(yaml.safe_dump({**QUICK_SETTINGS, "scenes": "scenes.csv"}))
        return folder

    return make
