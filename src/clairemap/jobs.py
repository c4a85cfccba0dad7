"""What jobs need: memory, GPUs, environment variables, the launcher of training, command line options."""

import shutil
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from clairemap.machine import check_gpus
from clairemap.settings import Settings

LIBRARIES_MB = 700
"""Memory of Python with its libraries."""

CUDA_MB = 4000
"""Host memory of PyTorch and CUDA's libraries, in addition, when a GPU is used."""

MAPPING_MARGIN_DIVISOR = 10
"""A tenth more memory than windows are planned with: windows of 2048 px were measured to need 6 % more."""

NETWORK_ENVIRONMENT = (
    "MALLOC_MMAP_THRESHOLD_=1000000000 MALLOC_TRIM_THRESHOLD_=2000000000 MALLOC_ARENA_MAX=1 OMP_WAIT_POLICY=PASSIVE"
)
"""Environment of jobs that run the network on CPUs.

By default glibc returns each large block to the system and then maps the next one page by page, a third of the time;
each thread of zarr has a heap of its own that is never returned; and threads of OpenMP wait in busy loops, so that a
training step of 0.25 s takes 8 s if other jobs use the cores too.
"""


def uses_gpu(settings: Settings) -> bool:
    """Whether jobs of the network ask for a GPU: if this machine has one, or if the settings say cuda.

    On a cluster's login node without a GPU, `compute.device: cuda` is needed.
    """
    device = settings.compute.device
    return device == "cuda" or (device == "auto" and shutil.which("nvidia-smi") is not None)


def memory_mb(payload_mb: int, attempt: int) -> int:
    """Return the memory to request: that of the data, as the stage's docstring states it, and of the libraries.

    Each retry requests more.
    """
    return (payload_mb + LIBRARIES_MB) * attempt


def mapping_payload_mb(settings: Settings, gpus: int) -> int:
    """Return the payload of a job that maps a scene with windows of `compute.mapping_memory_mb`."""
    planned_mb = settings.compute.mapping_memory_mb
    return planned_mb + planned_mb // MAPPING_MARGIN_DIVISOR - LIBRARIES_MB + CUDA_MB * gpus


def training_launcher(processes: int, srun: str | None, nodes: int) -> str:
    """Return the command that starts train_model: one process or several, on this machine or on nodes of a cluster.

    Args:
        processes: number of training processes.
        srun: command that starts a task on each node (`mpi: srun` in a profile); None on one machine.
        nodes: number of nodes, used with `srun` only.
    """
    if processes == 1 and not srun:
        return "python"
    launcher = f"python -m clairemap.training.launcher --processes {processes}"
    if srun:
        return f"{srun} --nodes={nodes} --ntasks-per-node=1 --kill-on-bad-exit=1 {launcher}"
    return launcher


def check_gpus_of(rules: Collection[str], settings: Settings) -> None:
    """Return if this machine has the GPUs that the planned rules need under `compute.device: cuda`.

    Raises:
        SettingsError: there are fewer.
    """
    on_gpus = {"train_model", "predict_scene"} | ({"explain_tiles"} if settings.explain.model else set())
    if settings.compute.device == "cuda" and on_gpus & set(rules):
        check_gpus(settings.compute.training_processes if "train_model" in rules else 1)


def options(files: Mapping[str, Iterable[Path | str]]) -> list[str]:
    """Return command line options, `--name path` for each file; underscores in names become hyphens."""
    return [
        word for name, paths in files.items() for path in paths for word in (f"--{name.replace('_', '-')}", str(path))
    ]
