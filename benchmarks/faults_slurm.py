"""Faults on a SLURM cluster of three virtual nodes, for workflow_faults.py."""

from faults_table import Fault

SLURM: tuple[Fault, ...] = ()


def cluster_or_reason() -> str:
    """Return the cluster, or why there is none."""
    return "later"
