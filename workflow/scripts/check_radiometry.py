"""Compare the values of a scene with those of the training scenes."""

from pathlib import Path
from typing import Annotated

import typer

from clairemap.artefacts.radiometry import read_radiometry, read_training_radiometry
from clairemap.artefacts.radiometry_check import RadiometryCheck, write_radiometry_check
from clairemap.console import run, warn
from clairemap.errors import RadiometryError
from clairemap.stages import CheckRadiometry
from clairemap.tiles.radiometry_comparison import compare


def check_radiometry(
    *,
    radiometry: Annotated[Path, typer.Option(help="the scene's radiometry.json")],
    training: Annotated[Path, typer.Option(help="radiometry.json of the training scenes")],
    check: Annotated[Path, typer.Option(help="radiometry_check.json to write")],
    settings: Annotated[str, typer.Option(help="settings of this stage as JSON (stages.CheckRadiometry)")],
) -> None:
    """Write the verdict on a scene; log a warning for differences.

    Raises:
        RadiometryError: unit, offset or band order differ, and `sensors.on_mismatch` is error.
    """
    chosen = CheckRadiometry.from_json(settings).sensors
    scene = read_radiometry(radiometry)
    found = RadiometryCheck(scene=scene.scene, sensors=compare(scene, read_training_radiometry(training)))
    if (faults := found.remarks("mismatch")) and chosen.on_mismatch == "error":
        raise RadiometryError(
            f"{scene.scene}: values do not match those of the training scenes: {'; '.join(faults)}; correct the files "
            "or the settings under sensors, or if the values are right, set sensors.on_mismatch: warn"
        )
    for remark in found.remarks("mismatch", "mild"):
        warn(f"{scene.scene}: {remark}")
    write_radiometry_check(check, found)


if __name__ == "__main__":
    run(check_radiometry)
