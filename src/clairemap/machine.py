"""What this machine has, asked before anything runs."""

import subprocess

from clairemap.errors import SettingsError

COUNTED = 100
PROBE = f"import sys, torch; sys.exit({COUNTED} + min(torch.cuda.device_count(), 99))"


def check_gpus(wanted: int) -> None:
    """Return if the PyTorch of the rules' `python` sees as many GPUs as are wanted; takes as long as importing it.

    Without PyTorch in that environment nothing is checked: the stages run in another one.

    Raises:
        SettingsError: there are fewer.
    """
    answer = subprocess.run(["python", "-c", PROBE], capture_output=True, check=False).returncode
    found = answer - COUNTED
    if answer < COUNTED or found >= wanted:
        return
    if found == 0:
        raise SettingsError("compute.device is cuda, but PyTorch sees no GPU here; set it to auto or cpu")
    raise SettingsError(
        f"compute.training_processes is {wanted}, but PyTorch sees {found} GPU(s) here; set it to {found} or less, or "
        "compute.device to cpu"
    )
