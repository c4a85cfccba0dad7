"""Start the training processes and exit with the exit code of their script.

``python -m clairemap.training.launcher --processes 4 train_model.py --pair …`` differs from torchrun in three ways:

- It exits with the code of the script's error (75 for the time limit), where torchrun always exits with 1.
- In a SLURM step of several nodes (``srun --ntasks-per-node=1``) the launchers of all nodes connect by means of the
  step's environment variables. Otherwise it uses one node.
- It divides the job's threads (OMP_NUM_THREADS) among the processes.
"""

import argparse
import logging
import os
import re
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from torch.distributed import run as torchrun
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.elastic.rendezvous.api import RendezvousConnectionError

from clairemap.errors import ClairemapError, SettingsError, TrainingError
from clairemap.slurm_command import slurm_output
from clairemap.training.distributed import usable_cpus

log = logging.getLogger(__name__)

FIRST_PORT, PORTS = 20000, 10000
"""Ports for connecting launchers, by job number; below the ephemeral ports."""


@dataclass(frozen=True)
class Nodes:
    """The nodes of a SLURM step: their number, this node's number (from 0) and name, and the address for connecting.

    `own_address` is that of this node, for the other nodes; None: its host name.
    """

    count: int
    number: int
    name: str
    first_host: str
    port: int
    rendezvous_id: str
    own_address: str | None = None

    @classmethod
    def from_slurm_step(cls, environment: Mapping[str, str]) -> Self | None:
        """Return the nodes of the step that srun started this process in; None outside a step or for one node.

        Variables of the allocation are ignored, because training may use fewer nodes.

        Raises:
            SettingsError: the step has several nodes, but a variable of its environment is missing or invalid.
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
                f"SLURM step with several nodes: environment variable missing or not valid ({error!r}); start one "
                "launcher on each node: srun --ntasks-per-node=1 python -m clairemap.training.launcher ..."
            ) from None
        return cls(
            count, number, environment.get("SLURMD_NODENAME", ""), host, FIRST_PORT + job % PORTS, f"{job}.{step}"
        )

    def resolved(self) -> Self:
        """Return the nodes with addresses from SLURM's configuration if the first node's name does not resolve here.

        Raises:
            TrainingError: neither the name nor the configuration leads to an address.
        """
        if _resolves(self.first_host):
            return self
        address = node_address(self.first_host)
        if address is None:
            raise TrainingError(
                f"the name of the first node, {self.first_host}, does not resolve on node {self.name or self.number}, "
                "and `scontrol show node` gives no other address (NodeAddr): let the administrator add the nodes to "
                "DNS or /etc/hosts, or train on one node (compute.training_nodes: 1)"
            )
        own = node_address(self.name) if self.name else None
        log.warning(
            "the name %s does not resolve on node %s: using the addresses of SLURM's configuration, %s for the first "
            "node and %s for this one",
            self.first_host,
            self.name,
            address,
            own or "the host name",
        )
        return replace(self, first_host=address, own_address=own)

    @property
    def options(self) -> list[str]:
        """Options for torchrun."""
        return [
            f"--nnodes={self.count}",
            "--rdzv-backend=c10d",
            f"--rdzv-id={self.rendezvous_id}",
            f"--rdzv-endpoint={self.first_host}:{self.port}",
            f"--rdzv-conf=is_host={int(self.number == 0)}",
            *([f"--local-addr={self.own_address}"] if self.own_address else []),
        ]


def _resolves(host: str) -> bool:
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return False
    return True


def node_address(name: str) -> str | None:
    """Return a node's address in SLURM's configuration, if it resolves; None without scontrol."""
    found = re.search(r"\bNodeAddr=(\S+)", slurm_output("scontrol", "show", "node", name))
    return found[1] if found and _resolves(found[1]) else None


def first_host(nodes: str) -> str:
    """Return the first name of a SLURM node list: 'gpu03' of ``gpu[03-05,9],cpu1``.

    Like the first line of ``scontrol show hostnames``, which containers often do not have.

    Raises:
        ValueError: not a valid node list.
    """
    found = re.match(r"(?:[^\s,\[\]]|\[\d[\d,-]*\])+", nodes)
    if found is None:
        raise ValueError(f"{nodes!r} is not a valid node list")
    return re.sub(r"\[(\d+)[^\]]*\]", r"\1", found[0])


def launch(processes: int, command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a script in several processes on each node, and return the exit code.

    Args:
        processes: number of processes on this node.
        command: the script and its arguments.
        environment: this process's environment, with SLURM's variables.

    Raises:
        SettingsError: a variable of the SLURM step is missing or invalid.
        TrainingError: the first node has no address, or the launchers of the nodes cannot connect.
    """
    step = Nodes.from_slurm_step(environment)
    nodes = step.resolved() if step else None
    node_options = nodes.options if nodes else ["--standalone"]
    arguments = [*node_options, f"--nproc-per-node={processes}", *command]
    try:
        torchrun.run(torchrun.parse_args(arguments))  # type: ignore[no-untyped-call]
    except ChildFailedError as failed:
        return exit_code([failure.exitcode for failure in failed.failures.values()])
    except RendezvousConnectionError as error:
        address = f"{nodes.first_host}:{nodes.port}" if nodes else "this machine"
        raise TrainingError(
            f"the launchers cannot connect at {address}: {error.__cause__ or error}. The port must "
            "be open on all nodes of the step, and the first node's launcher must be running."
        ) from None
    except SignalException as stopped:
        return 128 + int(stopped.sigval)
    return 0


def exit_code(codes: Sequence[int]) -> int:
    """Return the exit code for the codes of the failed processes; the code of a process killed by signal n is -n.

    Codes of clairemap's errors take precedence: other processes fail because one is gone, and may be listed first.
    """
    known = {error.exit_code for error in ClairemapError.__subclasses__()}
    code = next((code for code in codes if code in known), codes[0])
    return code if code > 0 else 128 - code


def main() -> None:
    """Read the command line, run the script, and exit with its exit code."""
    parser = argparse.ArgumentParser(prog="python -m clairemap.training.launcher", description=launch.__doc__)
    parser.add_argument("--processes", type=int, required=True, help="processes per node, one per GPU")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="the script and its arguments")
    arguments = parser.parse_args()
    threads = int(os.environ.get("OMP_NUM_THREADS") or usable_cpus())
    os.environ["OMP_NUM_THREADS"] = str(max(1, threads // arguments.processes))
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s: %(message)s")
    try:
        code = launch(arguments.processes, arguments.command, os.environ)
    except ClairemapError as error:
        log.error("%s", error.report)
        code = error.exit_code
    raise SystemExit(code)


if __name__ == "__main__":
    main()
