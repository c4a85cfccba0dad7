"""Fixtures of all tests: stages' functions, synthetic data, real scenes, Snakemake."""

import importlib
import importlib.util
import json
import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as in the rules; must be set before torch is imported
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the cores are busy with the other processes of pytest-xdist

import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PROJECT = Path(__file__).parents[1]
SHARED_DATA = PROJECT.parent / "shared" / "data"

LONG_FOLDERS = ("workflow", "benchmarks", "cluster", "real", "scripts")
LONG_TESTS = (
    "test_only_affected_jobs_rerun",
    "test_quick[workflow_faults]",
    "test_the_tutorial_runs_as_printed",
    "test_quick[accuracy]",
    "test_plan_status_and_accept",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run long tests first: at the end, no process waits for a long test of another one."""

    def rank(item: pytest.Item) -> tuple[bool, int]:
        folder = item.path.relative_to(PROJECT / "tests").parts[0]
        place = LONG_FOLDERS.index(folder) if folder in LONG_FOLDERS else len(LONG_FOLDERS)
        return item.name not in LONG_TESTS, place

    items.sort(key=rank)


def _module_beside(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look up their module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def rerun_tables() -> ModuleType:
    """Return ``tests/rerun_tables.py``: the tables of docs/reruns.md."""
    return _module_beside("rerun_tables")


@pytest.fixture(scope="session")
def made_pairs() -> ModuleType:
    """Return ``tests/made_pairs.py``: small pairs with their tile index."""
    return _module_beside("made_pairs")


@pytest.fixture(scope="session")
def made_artefacts() -> ModuleType:
    """Return ``tests/made_artefacts.py``: outputs of earlier stages."""
    return _module_beside("made_artefacts")


@pytest.fixture(scope="session")
def sampled_maps() -> ModuleType:
    """Return ``tests/sampled_maps.py``: land-cover maps for samples."""
    return _module_beside("sampled_maps")


@pytest.fixture(scope="session")
def made_rasters() -> ModuleType:
    """Return ``tests/made_rasters.py``: optical and SAR rasters with a known displacement."""
    return _module_beside("made_rasters")


@pytest.fixture(scope="session")
def made_catalogues() -> ModuleType:
    """Return ``tests/made_catalogues.py``: STAC items and catalogues as the big providers shape them."""
    return _module_beside("made_catalogues")


@pytest.fixture(scope="session")
def made_datasets() -> ModuleType:
    """Return ``tests/made_datasets.py``: folders with the layout of published data sets."""
    return _module_beside("made_datasets")


@pytest.fixture(scope="session")
def benchmark_module() -> Callable[[str], ModuleType]:
    """Return the function that imports a module of ``benchmarks/``: ``benchmark_module("gpu")``."""

    def load(name: str) -> ModuleType:
        sys.path.insert(0, str(PROJECT / "benchmarks"))  # it imports modules of its folder, like a script
        try:
            return importlib.import_module(name)
        finally:
            sys.path.remove(str(PROJECT / "benchmarks"))

    return load


@pytest.fixture
def stage() -> Callable[[str], Callable[..., Any]]:
    """Return the function of a rule: ``stage("tile_scene")``."""

    def load(name: str) -> Callable[..., Any]:
        spec = importlib.util.spec_from_file_location(name, PROJECT / "workflow" / "scripts" / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return getattr(module, name)

    return load


@pytest.fixture
def real_data() -> Path:
    """Return the folder of real scenes; skip the test without it."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no real scenes: the folder {SHARED_DATA.name} next to the project does not exist")
    return SHARED_DATA


Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def _stages() -> Iterator[dict[str, str]]:
    """Start ``stage_server.py``, and yield the environment in which `python` runs stages through it."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory(prefix="stages-") as folder, socket.socket(socket.AF_UNIX) as place:
        place.bind(f"{folder}/socket")
        place.listen()
        python = Path(folder, "python")
        python.write_text(f"#!{sys.executable} -ISs\n{Path(__file__).with_name('stage_client.py').read_text()}")
        python.chmod(0o755)
        command = [sys.executable, str(Path(__file__).with_name("stage_server.py")), str(place.fileno())]
        with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, pass_fds=[place.fileno()]) as server:
            path = f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"
            yield {**environment, "PATH": path, "CLAIREMAP_TEST_STAGES": f"{folder}/socket"}
            assert server.stdin is not None
            server.stdin.close()


@pytest.fixture(scope="session")
def _snakemake_server(tmp_path_factory: pytest.TempPathFactory, _stages: dict[str, str]) -> Iterator[Call]:
    """Yield a function that sends a call to ``snakemake_server.py`` and returns exit code and output."""
    output = [tmp_path_factory.mktemp("snakemake") / name for name in ("stdout", "stderr")]
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("snakemake_server.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=_stages,
    ) as server:
        asked, answered = server.stdin, server.stdout
        assert asked is not None and answered is not None

        def call(*words: str, **script: str) -> subprocess.CompletedProcess[str]:
            for path in output:
                path.unlink(missing_ok=True)
            request = {"words": words, "stdout": str(output[0]), "stderr": str(output[1]), **script}
            asked.write(json.dumps(request) + "\n")
            asked.flush()
            code = answered.readline()
            assert code, "the process that runs Snakemake has ended"
            return subprocess.CompletedProcess(words, int(code), *(path.read_text() for path in output))

        yield call
        asked.close()


@pytest.fixture(scope="session")
def snakemake(_snakemake_server: Call) -> Call:
    """Return a function that runs a project's workflow in a folder and returns exit code and output.

    ``snakemake(folder, "--dry-run", project=copy)``; one core, because other tests run in parallel. Each call is a new
    process, forked from one that has loaded Snakemake.
    """

    def call(directory: Path, *words: str, project: Path = PROJECT) -> subprocess.CompletedProcess[str]:
        fixed = ["--snakefile", str(project / "Snakefile"), "--directory", str(directory), "--cores", "1"]
        return _snakemake_server(*fixed, *words)

    return call


@pytest.fixture(scope="session")
def run_script(_snakemake_server: Call) -> Call:
    """Return a function that runs a script of a project in a folder: ``run_script(folder, script, "--help")``.

    A new process as for `snakemake`: for scripts that load Snakemake.
    """

    def call(directory: Path, script: Path, *words: str) -> subprocess.CompletedProcess[str]:
        return _snakemake_server(*words, script=str(script), folder=str(directory))

    return call
