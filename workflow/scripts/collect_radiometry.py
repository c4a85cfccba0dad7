"""Collect the radiometry of all training scenes in one file."""

from pathlib import Path
from typing import Annotated

import typer

from clairemap.artefacts.radiometry import TrainingRadiometry, read_radiometry, write_radiometry
from clairemap.console import run


def collect_radiometry(
    *,
    radiometry: Annotated[list[Path], typer.Option(help="radiometry.json of each training scene (repeat the option)")],
    training: Annotated[Path, typer.Option(help="radiometry.json to write")],
) -> None:
    """Write the radiometry of the training scenes, sorted by name."""
    scenes = sorted((read_radiometry(path) for path in radiometry), key=lambda known: known.scene)
    write_radiometry(training, TrainingRadiometry(scenes=tuple(scenes)))


if __name__ == "__main__":
    run(collect_radiometry)
