"""Choice of the devices that map a scene."""

import fcntl
import logging
import os
import tempfile
from io import TextIOWrapper
from pathlib import Path

import torch

from clairemap.errors import SettingsError
from clairemap.machine import NO_GPU

log = logging.getLogger(__name__)

_reserved: list[TextIOWrapper] = []
"""Open lock files of this process's GPUs; the locks end with the process."""


def choose_devices(name: str, gpus: int = 1) -> tuple[torch.device, ...]:
    """Return the devices for the setting `compute.device`.

    Args:
        name: "auto" (GPUs if available), "cpu" or "cuda".
        gpus: number of GPUs of the job. If PyTorch sees more, those that no other job of this user has reserved are
            used, the ones with the most free memory first. They are reserved until this process ends.

    Raises:
        SettingsError: "cuda" without a GPU.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise SettingsError(NO_GPU)
    if name == "cpu" or not torch.cuda.is_available():
        return (torch.device("cpu"),)
    wanted, count = max(gpus, 1), torch.cuda.device_count()
    freest = sorted(range(count), key=lambda index: -round(torch.cuda.mem_get_info(index)[0] / 1e9))
    chosen: list[int] = []
    for index in freest:
        if len(chosen) < wanted and _reserve(index):
            chosen.append(index)
    if len(chosen) < min(wanted, count):
        log.warning("other jobs use %d of %d GPUs: sharing", count - len(chosen), count)
        chosen += [index for index in freest if index not in chosen][: wanted - len(chosen)]
    return tuple(torch.device("cuda", index) for index in chosen)


def _reserve(index: int) -> bool:
    """Whether this process now has a GPU's lock. Where the lock cannot be created, each process gets it."""
    name = getattr(torch.cuda.get_device_properties(index), "uuid", index)
    path = Path(tempfile.gettempdir()) / f"clairemap-{os.getuid()}-gpu-{name}.lock"
    try:
        file = path.open("w")
    except OSError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return False
    _reserved.append(file)
    return True
