"""What Snakemake imports when it starts on a node for one job: each cluster job pays for it."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from clairemap.provenance import stage_code

pytestmark = pytest.mark.workflow
PROJECT = Path(__file__).parents[2]

HEAVY = {"rasterio", "odc", "zarr", "xarray", "torch", "transformers", "scipy", "pyarrow", "pyproj", "typer", "tqdm"}
"""Packages that no job needs before its stage starts."""

OURS = ("artefacts.model_card", "code.analysis", "operations.run_record", "raster.opening", "raster.store")
"""Modules of this package that only the submitting process or the stage needs."""

STARTED = """
import json, sys
from pathlib import Path
from snakemake.cli import main
before = set(sys.modules)
try:
    main()
finally:
    Path("modules.json").write_text(json.dumps([sorted(before), sorted(sys.modules)]))
"""

JOB = shlex.split("""
    --cores 1 --attempt 1 --force-use-threads --force --target-files-omit-workdir-adjustment --nocolor --no-hooks
    --nolock --ignore-incomplete --mode remote --target-jobs register_pair:scene=a --allowed-rules register_pair
""")
"""Options with which an executor starts Snakemake on a node."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a sheet of one scene, whose files do not exist: the stage fails at once."""
    (tmp_path / "scenes.csv").write_text("scene,region,split,optical,sar,label\na,r,train,o.tif,s.tif,l.tif\n")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"scenes": "scenes.csv", "compute": {"device": "cpu"}}))
    (tmp_path / "started.py").write_text(STARTED)
    return tmp_path


def test_a_job_starts_without_heavy_packages(folder: Path):
    words = ["--snakefile", str(PROJECT / "Snakefile"), "--configfile", "config.yaml", *JOB]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    # As the submitting process does before the first job: the first start of a new state of the code analyses it.
    for script in (PROJECT / "workflow" / "scripts").glob("*.py"):
        stage_code(script)
    done = subprocess.run(
        [sys.executable, "started.py", *words],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert "Error in rule register_pair" in done.stderr, done.stderr[-3000:]
    before, after = map(set, json.loads((folder / "modules.json").read_text()))
    added = after - before
    assert "clairemap.job_requests" in added
    # pyarrow may come with Snakemake's plugin for SLURM, which imports pandas.
    ours = {name.partition(".")[0] for name in added} & HEAVY - ({"pyarrow", "scipy"} if "pandas" in added else set())
    assert not ours
    assert not {f"clairemap.{name}" for name in OURS} & added
