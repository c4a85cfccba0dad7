"""What a fault of workflow_faults.py consists of."""

from collections.abc import Callable
from dataclasses import dataclass

from faults_made import Case


class SkippedError(Exception):
    """This machine does not allow the fault; the message is the reason."""


@dataclass(frozen=True)
class Fault:
    """A fault: what it does, which stages' outputs are absent before, and what the user should read.

    Attributes:
        name: name in the results.
        stages: stages whose outputs are absent before the fault.
        act: runs the workflow with the fault and removes its cause.
        says: pattern of a line that the user must be shown.
        slurm: whether it runs on SLURM.
        recover: whether the remedy begins with the recover step.
        alone: whether it changes the cluster for others.
    """

    name: str
    stages: tuple[str, ...]
    act: Callable[[Case], None]
    says: str
    slurm: bool = False
    recover: bool = False
    alone: bool = False
