"""This machine's GPUs and folders, checked before anything runs."""

import os
import subprocess
import tempfile
from pathlib import Path

from clairemap.errors import SettingsError

NO_GPU = "compute.device is cuda, but PyTorch sees no GPU here; set it to auto or cpu"
"""Message of the SettingsError where the settings require a GPU and there is none."""
EXIT_CODE_OFFSET = 100
"""The probe exits with this number plus the number of GPUs; lower exit codes mean that it failed."""
PROBE = f"import sys, torch; sys.exit({EXIT_CODE_OFFSET} + min(torch.cuda.device_count(), 99))"


def check_gpus(required: int) -> None:
    """Check that PyTorch of the rules' `python` finds enough GPUs. Takes as long as importing PyTorch.

    Without PyTorch in that environment nothing is checked, because the stages run in another environment.

    Raises:
        SettingsError: there are too few GPUs.
    """
    code = subprocess.run(["python", "-c", PROBE], capture_output=True, check=False).returncode
    found = code - EXIT_CODE_OFFSET
    if code < EXIT_CODE_OFFSET or found >= required:
        return
    if found == 0:
        raise SettingsError(NO_GPU)
    raise SettingsError(
        f"compute.training_processes is {required}, but PyTorch sees {found} GPU(s) here; set it to at most {found}, "
        "or compute.device to cpu"
    )


def count_gpus() -> int:
    """Return the number of this machine's GPUs, as limited by CUDA_VISIBLE_DEVICES; at least 1."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return max(1, sum(name.strip() not in ("", "-1") for name in visible.split(",")))
    try:
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 1
    return max(1, sum(line.startswith("GPU ") for line in done.stdout.splitlines()))


def check_folder(key: str, folder: Path) -> None:
    """Check that a folder exists, or could exist: no part of its path is a file. Creates nothing.

    Raises:
        SettingsError: a part is; `key` is the setting that the message names.
    """
    for part in (folder, *folder.parents):
        if part.exists():
            if not part.is_dir():
                raise SettingsError(f"{key}: {part} is a file; choose another folder")
            return


def check_writable(key: str, folder: Path) -> None:
    """Check that files can be written to a folder, and create it.

    Raises:
        SettingsError: they cannot; `key` is the setting that the message names.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"clairemap")
    except OSError as error:
        raise SettingsError(
            f"{key}: nothing can be written to {folder.absolute()}: {error.strerror or error}; choose another folder, "
            "or correct its permissions or free space"
        ) from None
