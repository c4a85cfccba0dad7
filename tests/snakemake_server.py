"""A process that loads Snakemake once and forks for each call, because loading takes longer than planning.

Each input line is a JSON object, `{"words": [...], "stdout": path, "stderr": path}`. A fork runs `python -m snakemake
WORDS` with its output in those files; the exit code is written to stdout. With "script" and "folder", it runs a script
of a project in a folder instead. No module of clairemap is loaded before, so each call reads the current code of its
project.
"""

import gc
import json
import os
import runpy
import sys
from pathlib import Path

# Imported in advance, because it takes long: Snakemake, and the imports of the Snakefile's modules.
import affine  # noqa: F401
import odc.geo.geobox  # noqa: F401
import pydantic  # noqa: F401
import pyproj  # noqa: F401
import rasterio  # noqa: F401
import snakemake.cli  # noqa: F401
import snakemake.report  # noqa: F401
import snakemake.workflow  # noqa: F401
import snakemake_executor_plugin_slurm  # noqa: F401
import zarr  # noqa: F401


def be_process(words: list[str], stdout: str, stderr: str, script: str = "", folder: str = "") -> None:
    """Run Snakemake's command line or a script, and exit with its code."""
    for stream, path in ((0, os.devnull), (1, stdout), (2, stderr)):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), stream)
    code: object = 0
    try:
        if script:
            _run_script(Path(script), words, folder)
        else:
            sys.path[0] = str(Path.cwd())
            sys.argv = ["snakemake", *words]
            runpy.run_module("snakemake", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def _run_script(script: Path, words: list[str], folder: str) -> None:
    """Run a script with the package of its project."""
    os.chdir(folder)
    source = str(script.parents[2] / "src")
    os.environ["PYTHONPATH"] = source
    sys.path[:1] = [str(script.parent), source]
    sys.argv = [str(script), *words]
    runpy.run_path(str(script), run_name="__main__")


def serve() -> None:
    """Serve calls until the input ends."""
    loaded = sorted(name for name in sys.modules if name.split(".")[0] == "clairemap")
    assert not loaded, loaded
    gc.freeze()  # forks neither copy nor search what is loaded
    for line in sys.stdin:
        call = json.loads(line)
        child = os.fork()
        if child == 0:
            be_process(**call)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
