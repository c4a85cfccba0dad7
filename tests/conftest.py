"""What all tests share: loading a stage's function from its script, and the real scenes beside the project."""

import importlib.util
import json
import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is imported: as the rules do, for shared machines

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PROJECT = Path(__file__).parents[1]
SHARED_DATA = PROJECT.parent / "shared" / "data"


def _module_beside(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def made_pairs() -> ModuleType:
    """Return the module that makes small pairs with their tile index, ``tests/made_pairs.py``."""
    return _module_beside("made_pairs")


@pytest.fixture(scope="session")
def made_artefacts() -> ModuleType:
    """Return the module that makes what earlier stages leave, ``tests/made_artefacts.py``."""
    return _module_beside("made_artefacts")


@pytest.fixture(scope="session")
def made_rasters() -> ModuleType:
    """Return the module that makes optical-SAR rasters with a known displacement, ``tests/made_rasters.py``."""
    return _module_beside("made_rasters")


@pytest.fixture(scope="session")
def made_datasets() -> ModuleType:
    """Return the module that lays out folders as published data sets are, ``tests/made_datasets.py``."""
    return _module_beside("made_datasets")


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
    """Return the folder of real scenes; skips the test where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the real scenes are not here: {SHARED_DATA.name} beside the project is absent")
    return SHARED_DATA


@pytest.fixture(scope="session")
def snakemake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Yield a function that runs a project's workflow in a folder and gives back exit code and output.

    ``snakemake(folder, "--dry-run", project=copy)``; one core, so that tests beside it keep theirs. Each call is a
    process of its own, forked from one that has loaded Snakemake (``snakemake_server.py``).
    """
    output = [tmp_path_factory.mktemp("snakemake") / name for name in ("stdout", "stderr")]
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("snakemake_server.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    ) as server:
        asked, answered = server.stdin, server.stdout
        assert asked is not None and answered is not None

        def call(directory: Path, *words: str, project: Path = PROJECT) -> subprocess.CompletedProcess[str]:
            fixed = ["--snakefile", str(project / "Snakefile"), "--directory", str(directory), "--cores", "1"]
            for path in output:
                path.unlink(missing_ok=True)
            request = {"words": [*fixed, *words], "stdout": str(output[0]), "stderr": str(output[1])}
            asked.write(json.dumps(request) + "\n")
            asked.flush()
            code = answered.readline()
            assert code, "the process that runs Snakemake has ended"
            return subprocess.CompletedProcess(request["words"], int(code), *(path.read_text() for path in output))

        yield call
        asked.close()
