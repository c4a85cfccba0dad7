"""The devices that map a scene."""

import os

import torch

from clairemap.errors import SettingsError


def choose_devices(name: str, gpus: int = 1) -> tuple[torch.device, ...]:
    """Return the devices for "auto" (GPUs if there are any), "cpu" or "cuda".

    Args:
        name: the setting.
        gpus: how many the job was given. If PyTorch sees more, those with the most free memory are taken, since nothing
            else tells which ones other jobs have; of equally free ones each process begins with another.

    Raises:
        SettingsError: "cuda" is asked for but there is no GPU.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise SettingsError("compute.device is cuda, but PyTorch sees no GPU here; set it to auto or cpu")
    if name == "cpu" or not torch.cuda.is_available():
        return (torch.device("cpu"),)
    count = torch.cuda.device_count()
    turned = [(os.getpid() + index) % count for index in range(count)]
    freest = sorted(turned, key=lambda index: -round(torch.cuda.mem_get_info(index)[0] / 1e9))
    return tuple(torch.device("cuda", index) for index in freest[: max(gpus, 1)])
