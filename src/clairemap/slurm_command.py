"""Running SLURM's commands: squeue, scontrol, sbatch and others."""

import subprocess

TIMEOUT_S = 30.0


def run_slurm(*command: str, timeout_s: float = TIMEOUT_S) -> subprocess.CompletedProcess[str]:
    """Run a command of SLURM, and return its exit code and what it prints.

    If it is not installed or does not end in time, the exit code is 127 and its error output says so.
    """
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 127, "", f"unable to contact SLURM: {error}")


def slurm_output(*command: str) -> str:
    """Return what a command of SLURM prints; empty if it fails or is not installed."""
    done = run_slurm(*command)
    return done.stdout if done.returncode == 0 else ""
