"""A process that loads the libraries of the stages once and forks for each job, because loading takes longer.

Its argument is the descriptor of a socket, for `stage_client.py`; it ends when its standard input is closed. No module
of clairemap is loaded before, so each job reads the current code of its project.
"""

import contextlib
import gc
import json
import os
import runpy
import select
import socket
import sys
import traceback
from pathlib import Path

# Imported in advance, because it takes long.
import dask.array  # noqa: F401
import matplotlib.figure  # noqa: F401
import odc.geo.xr  # noqa: F401
import pandas as pd  # noqa: F401
import pyogrio  # noqa: F401
import pystac  # noqa: F401
import rasterio  # noqa: F401
import rio_cogeo  # noqa: F401
import safetensors.torch  # noqa: F401
import scipy.ndimage  # noqa: F401
import scipy.optimize  # noqa: F401
import shapely  # noqa: F401
import torch  # noqa: F401
import tqdm  # noqa: F401
import typer  # noqa: F401
import yaml  # noqa: F401
import zarr  # noqa: F401


def be_stage(words: list[str], folder: str, environment: dict[str, str], streams: list[int]) -> None:
    """Run a script as Python does, and exit with its code."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = words
    sys.path[:1] = [str(Path(words[0]).parent), *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    code: object = 1
    try:
        runpy.run_path(words[0], run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def answer(client: socket.socket) -> None:
    """Run the stage of a request in a fork, and send its end: exit code, or signal as a negative number."""
    _, streams, _, _ = socket.recv_fds(client, 1, 3)
    request = json.loads(client.makefile("rb").read())
    stage = os.fork()
    if stage == 0:
        client.close()
        be_stage(**request, streams=streams)
    _, status = os.waitpid(stage, 0)
    client.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def serve(listening: int) -> None:
    """Serve requests until the standard input ends."""
    loaded = sorted(name for name in sys.modules if name.split(".")[0] == "clairemap")
    assert not loaded, loaded
    gc.freeze()  # forks neither copy nor search what is loaded
    with socket.socket(fileno=listening) as server:
        while sys.stdin not in select.select([server, sys.stdin], [], [])[0]:
            client, _ = server.accept()
            with client:
                if os.fork() == 0:
                    server.close()
                    answer(client)
                    os._exit(0)
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


if __name__ == "__main__":
    serve(int(sys.argv[1]))
