"""Stands in for `python` in runs of the workflow: stages run in forks of `stage_server.py`, which has their libraries.

Streams, folder, environment and arguments are those of the caller, and so is the end: exit code or signal. Other
commands are run by Python itself. CLAIREMAP_TEST_STAGES is the path of the server's socket.
"""

import json
import os
import re
import socket
import sys

STAGE = re.compile(r"/workflow/scripts/\w+\.py$")


def run(words: list[str]) -> None:
    """Run the command and end as it does."""
    if not words or not STAGE.search(words[0]):
        os.execv(sys.executable, [sys.executable, *words])
    folder = os.getcwd()  # noqa: PTH109 - pathlib takes as long to import as all of this
    request = json.dumps({"words": words, "folder": folder, "environment": dict(os.environ)}).encode()
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(os.environ["CLAIREMAP_TEST_STAGES"])
        socket.send_fds(server, [b"."], [0, 1, 2])
        server.sendall(request)
        server.shutdown(socket.SHUT_WR)
        code = int(server.makefile().readline())
    if code < 0:
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    run(sys.argv[1:])
