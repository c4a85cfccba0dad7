"""Jobs: GPUs, environment variables, launcher of training, command line options."""

import shutil
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from clairemap.errors import MissingFileError
from clairemap.machine import check_gpus
from clairemap.settings import Settings

IMAGE = "envs/clairemap.sif"
"""Container image of all rules, relative to the working directory; `make image` builds it."""

NETWORK_ENVIRONMENT = (
    "MALLOC_MMAP_THRESHOLD_=1000000000 MALLOC_TRIM_THRESHOLD_=2000000000 MALLOC_ARENA_MAX=1 OMP_WAIT_POLICY=PASSIVE"
)
"""Environment of jobs that run the network on CPUs.

Without it, glibc returns each large block to the system and maps the next one page by page (a third of the run time),
each zarr thread keeps its own heap, and OpenMP threads wait in busy loops: a training step of 0.25 s takes 8 s if
other jobs use the same cores.
"""


def uses_gpu(settings: Settings) -> bool:
    """Whether jobs that run the network request a GPU: this machine has one, or `compute.device` is cuda.

    A login node without a GPU needs `compute.device: cuda`.
    """
    device = settings.compute.device
    return device == "cuda" or (device == "auto" and shutil.which("nvidia-smi") is not None)


def training_launcher(processes: int, srun: str | None, nodes: int) -> str:
    """Return the command that starts train_model.

    Args:
        processes: number of training processes.
        srun: command that starts a task on each node (`mpi: srun` in a profile); None on one machine.
        nodes: number of nodes; used only with `srun`.
    """
    if processes == 1 and not srun:
        return "python"
    launcher = f"python -m clairemap.training.launcher --processes {processes}"
    if srun:
        return f"{srun} --nodes={nodes} --ntasks-per-node=1 --kill-on-bad-exit=1 {launcher}"
    return launcher


def check_gpus_of(rules: Collection[str], settings: Settings) -> None:
    """Check that this machine has the GPUs that the planned rules need, if `compute.device` is cuda.

    Raises:
        SettingsError: there are too few GPUs.
    """
    on_gpus = {"train_model", "predict_scene"} | ({"explain_tiles"} if settings.explain.model else set())
    if settings.compute.device == "cuda" and on_gpus & set(rules):
        check_gpus(settings.compute.training_processes if "train_model" in rules else 1)


def check_image() -> None:
    """Check that the container image exists.

    Raises:
        MissingFileError: there is no image.
    """
    if not Path(IMAGE).is_file():
        raise MissingFileError(
            f"{IMAGE}: the container image is missing; run make image on a machine with internet and Apptainer, "
            "copy the file here, or run without --sdm apptainer"
        )


def options(files: Mapping[str, Iterable[Path | str]]) -> list[str]:
    """Return command line options: `--name path` for each file, with hyphens for underscores in names."""
    return [
        word for name, paths in files.items() for path in paths for word in (f"--{name.replace('_', '-')}", str(path))
    ]
