"""Check of this machine's GPUs before anything runs."""

import subprocess

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
