"""Start the processes that train together, and end with the exit code of the stage that they run.

``python -m clairemap.training.launcher --processes 4 train_model.py --pair …`` is torchrun but for three things:

- It ends with the code of the stage's error (75 for a time budget that is over) where torchrun always ends with 1.
- Within a step of SLURM of several nodes (``srun --ntasks-per-node=1``), the launchers of all nodes meet by themselves:
  they take node count, own number, first host and job number from the step's environment. Anywhere else it is one node.
- Each process gets its share of the threads that the job may use (OMP_NUM_THREADS).
"""

import argparse
import logging
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from torch.distributed import run as torchrun
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.elastic.rendezvous.api import RendezvousConnectionError

from clairemap.errors import ClairemapError, SettingsError, TrainingError
from clairemap.training.distributed import usable_cpus

log = logging.getLogger(__name__)

FIRST_PORT, PORTS = 20000, 10000
"""Ports that launchers meet at, one for each job number: below those that systems hand out on their own."""


@dataclass(frozen=True)
class Nodes:
    """The nodes of a SLURM step: how many, which of them this is (from 0), and where their launchers meet."""

    count: int
    number: int
    first_host: str
    port: int
    meeting: str

    @classmethod
    def of_step(cls, environment: Mapping[str, str]) -> Self | None:
        """Return the nodes of the step that srun started this process in; None outside of one, and for one node.

        Only what describes the step is looked at: an allocation of several nodes may well train on one.

        Raises:
            SettingsError: the step has several nodes, but a variable of its environment is missing or strange.
        """
        if environment.get("SLURM_STEP_NUM_NODES", "1") == "1":
            return None
        try:
            count = int(environment["SLURM_STEP_NUM_NODES"])
            job = int(environment["SLURM_JOB_ID"])
            step = environment["SLURM_STEP_ID"]
            number = int(environment["SLURM_NODEID"])
            host = first_host(environment["SLURM_STEP_NODELIST"])
        except (KeyError, ValueError) as error:
            raise SettingsError(
                f"the SLURM step has several nodes, but its environment is not srun's: {error!r}. Start one launcher "
                "on each node: srun --ntasks-per-node=1 python -m clairemap.training.launcher ..."
            ) from None
        return cls(count, number, host, FIRST_PORT + job % PORTS, f"{job}.{step}")

    @property
    def options(self) -> list[str]:
        """The options of torchrun."""
        return [
            f"--nnodes={self.count}",
            "--rdzv-backend=c10d",
            f"--rdzv-id={self.meeting}",
            f"--rdzv-endpoint={self.first_host}:{self.port}",
            f"--rdzv-conf=is_host={int(self.number == 0)}",
        ]


def first_host(nodes: str) -> str:
    """Return the first name of a SLURM node list: 'gpu03' of ``gpu[03-05,9],cpu1``.

    The result is the first line of ``scontrol show hostnames``, which is not called because a container inside a job
    often lacks it.

    Raises:
        ValueError: it is no such list.
    """
    found = re.match(r"(?:[^\s,\[\]]|\[\d[\d,-]*\])+", nodes)
    if found is None:
        raise ValueError(f"{nodes!r} is no list of nodes")
    return re.sub(r"\[(\d+)[^\]]*\]", r"\1", found[0])


def launch(processes: int, command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a stage's script in so many processes on each node, and return the exit code to end with.

    Args:
        processes: on this node.
        command: the script and its words.
        environment: of this process; what SLURM says is looked up in it.

    Raises:
        SettingsError: the environment of SLURM's step is not srun's.
        TrainingError: the launchers of the nodes don't find each other.
    """
    nodes = Nodes.of_step(environment)
    place = nodes.options if nodes else ["--standalone"]
    arguments = [*place, f"--nproc-per-node={processes}", *command]
    try:
        torchrun.run(torchrun.parse_args(arguments))  # type: ignore[no-untyped-call]
    except ChildFailedError as failed:
        return exit_code([failure.exitcode for failure in failed.failures.values()])
    except RendezvousConnectionError as error:
        where = f"{nodes.first_host}:{nodes.port}" if nodes else "this machine"
        raise TrainingError(
            f"the launchers can't meet at {where}: {error.__cause__ or error}. The name must resolve and the port be "
            "open on all nodes of the step, and the first node's launcher must be running"
        ) from None
    except SignalException as stopped:
        return 128 + int(stopped.sigval)
    return 0


def exit_code(codes: Sequence[int]) -> int:
    """Return the exit code of a run from those of its failed processes; one killed by signal n has -n.

    The code of an error of the stage goes before all others: when one process ends with it, others only notice that
    it is gone, and may be the first to be found.
    """
    known = {error.exit_code for error in ClairemapError.__subclasses__()}
    code = next((code for code in codes if code in known), codes[0])
    return code if code > 0 else 128 - code


def main() -> None:
    """Read the command line, launch, and end with the stage's exit code."""
    parser = argparse.ArgumentParser(prog="python -m clairemap.training.launcher", description=launch.__doc__)
    parser.add_argument("--processes", type=int, required=True, help="on each node, one for each GPU")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="the stage's script and its words")
    words = parser.parse_args()
    threads = int(os.environ.get("OMP_NUM_THREADS") or usable_cpus())
    os.environ["OMP_NUM_THREADS"] = str(max(1, threads // words.processes))
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    try:
        code = launch(words.processes, words.command, os.environ)
    except ClairemapError as error:
        log.error("%s (%s, exit code %d)", error, type(error).__name__, error.exit_code)
        code = error.exit_code
    raise SystemExit(code)


if __name__ == "__main__":
    main()
