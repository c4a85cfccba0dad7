"""Choice of the devices that map a scene."""

import os

import torch

from clairemap.errors import SettingsError
from clairemap.machine import NO_GPU


def choose_devices(name: str, gpus: int = 1) -> tuple[torch.device, ...]:
    """Return the devices for the setting `compute.device`.

    Args:
        name: "auto" (GPUs if available), "cpu" or "cuda".
        gpus: number of GPUs of the job. If PyTorch sees more, those with the most free memory are used, since others
            may belong to other jobs; ties are broken by process id.

    Raises:
        SettingsError: "cuda" without a GPU.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise SettingsError(NO_GPU)
    if name == "cpu" or not torch.cuda.is_available():
        return (torch.device("cpu"),)
    count = torch.cuda.device_count()
    rotated = [(os.getpid() + index) % count for index in range(count)]
    freest = sorted(rotated, key=lambda index: -round(torch.cuda.mem_get_info(index)[0] / 1e9))
    return tuple(torch.device("cuda", index) for index in freest[: max(gpus, 1)])
