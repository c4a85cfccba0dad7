"""Jobs: GPUs, environment variables, launcher of training, command line options."""

import shutil
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from clairemap.errors import MissingFileError, SettingsError
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


TRAINING_THREADS = 8
"""CPU threads of a training process."""


def uses_gpu(settings: Settings) -> bool:
    """Whether jobs that run the network request a GPU: `compute.device` is cuda, or auto and this machine has one.

    On a cluster auto is not allowed (`check_cluster`): each job would decide by its own node.
    """
    device = settings.compute.device
    return device == "cuda" or (device == "auto" and shutil.which("nvidia-smi") is not None)


def training_launcher(processes: int, srun: str | None, nodes: int, threads: int) -> str:
    """Return the command that starts train_model.

    Args:
        processes: number of training processes on a node.
        srun: command that starts a task on each node; None on one machine.
        nodes: number of nodes; used only with `srun`.
        threads: number of CPUs on a node; used only with `srun`.
    """
    if processes == 1 and not srun:
        return "python"
    launcher = f"python -m clairemap.training.launcher --processes {processes}"
    if srun:
        step = f"--nodes={nodes} --ntasks-per-node=1 --cpus-per-task={threads} --kill-on-bad-exit=1"
        return f"{srun} {step} {launcher}"
    return launcher


def tasks_per_node(settings: Settings) -> int:
    """Return the number of tasks per node that training on several nodes requests.

    One per process, but at least two: Snakemake's SLURM executor refuses one. All of them serve the node's launcher.
    """
    return max(2, settings.compute.training_processes)


def cpus_per_task(settings: Settings, threads: int) -> int | None:
    """Return the CPUs of each of these tasks, so that a node's tasks have `threads` together; None on one node."""
    return -(-threads // tasks_per_node(settings)) if settings.compute.training_nodes > 1 else None


def _on_gpus(rules: Collection[str], settings: Settings) -> bool:
    """Whether some of the rules run on GPUs if there are any."""
    gpu_rules = {"train_model", "predict_scene"} | (
        {"explain_tiles", "summarize_region"} if settings.explain.model else set()
    )
    return not gpu_rules.isdisjoint(rules)


def check_gpus_of(rules: Collection[str], settings: Settings) -> None:
    """Check that this machine has the nodes and GPUs that the planned rules need.

    Raises:
        SettingsError: training is to use several nodes, or `compute.device` is cuda and there are too few GPUs.
    """
    if "train_model" in rules and settings.compute.training_nodes > 1:
        raise SettingsError(
            f"compute.training_nodes is {settings.compute.training_nodes}, but this run uses one machine: set it to 1, "
            "or use a SLURM profile (docs/hpc.md)"
        )
    if settings.compute.device == "cuda" and _on_gpus(rules, settings):
        check_gpus(settings.compute.training_processes if "train_model" in rules else 1)


def check_cluster(rules: Collection[str], settings: Settings, gpu_limit: int | None) -> None:
    """Check the settings of a run whose jobs are submitted to a cluster.

    Args:
        rules: the planned rules.
        settings: the settings.
        gpu_limit: maximum number of GPUs in use at once (`resources: gpu` of the profile); None: no limit.

    Raises:
        SettingsError: `compute.device` is auto, or training needs more GPUs than the limit.
    """
    compute = settings.compute
    if compute.device == "auto" and _on_gpus(rules, settings):
        raise SettingsError(
            "compute.device is auto, but the jobs run on a cluster, whose nodes are not known here: set it to cuda "
            "(jobs that run the network request GPUs) or to cpu"
        )
    if compute.device != "cuda" or gpu_limit is None or "train_model" not in rules or compute.training_nodes > 1:
        return
    if compute.training_processes > gpu_limit:
        raise SettingsError(
            f"compute.training_processes is {compute.training_processes}, but the profile allows {gpu_limit} GPU(s) at "
            "once (resources: gpu): increase that, or reduce training_processes"
        )


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
