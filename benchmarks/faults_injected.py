"""Run a script of the workflow, with a fault in the middle of it.

`faults_made.Lab` puts this in place of `python` in the rules. The environment variable FAULT names a JSON file:

- `stage`: script that the fault hits; others run as usual;
- `rename`: which renaming of a temporary file (`….part`) the fault precedes, counted from 1; at that time the file is
  written but not in place;
- `act`: `kill` (SIGKILL), `hold` (wait until the file `release` exists), `sleep` (for two minutes), `sleep_minute`,
  `allocate` (memory until the job is killed), or a command of SLURM with the job's number (`scancel`, `requeue`);
- `fired`: file that the first process creates; only that process has the fault.
"""

import json
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

BLOCK_BYTES, MOST_BLOCKS = 50_000_000, 60
COMMANDS = {"scancel": ["scancel"], "requeue": ["scontrol", "requeue"]}


def strike(plan: dict[str, Any]) -> None:
    """Let the fault happen, unless it has happened in another process."""
    try:
        Path(plan["fired"]).open("x").close()
    except FileExistsError:
        return
    act = plan["act"]
    if act == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif act == "hold":
        while not Path(plan["release"]).exists():
            time.sleep(0.05)
    elif act == "allocate":
        kept: list[bytes] = []
        while len(kept) < MOST_BLOCKS:
            kept.append(b"x" * BLOCK_BYTES)
            time.sleep(0.05)  # where SLURM counts the memory, not the kernel
        time.sleep(120)
    elif act in COMMANDS:
        subprocess.run([*COMMANDS[act], os.environ["SLURM_JOB_ID"]], check=True)
        time.sleep(120)
    else:
        time.sleep(62 if act == "sleep_minute" else 120)


def watch(plan: dict[str, Any]) -> None:
    """Let the fault happen at the renaming that the plan names."""
    seen = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event == "os.rename" and str(arguments[0]).endswith(".part"):
            seen += 1
            if seen == plan["rename"]:
                strike(plan)

    sys.addaudithook(hook)


def main() -> None:
    """Run the script or module in the arguments as Python would."""
    words = sys.argv[1:]
    is_module = words[0] == "-m"
    sys.argv = words[1:] if is_module else words
    plan = json.loads(Path(os.environ["FAULT"]).read_text()) if os.environ.get("FAULT") else None
    if plan and words[0].endswith(f"/{plan['stage']}.py"):
        watch(plan)
    if is_module:
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = str(Path(words[0]).parent)
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    main()
