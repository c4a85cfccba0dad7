"""Print how far the last run is; also while it goes on in another terminal."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from clairemap.console import run
from clairemap.operations.command_line import read_plan
from clairemap.operations.costs import Costs
from clairemap.operations.status import run_status
from clairemap.operations.status_text import status_text


def show_status(
    snakemake: Annotated[list[str] | None, typer.Argument(help="options of snakemake, after --")] = None,
) -> None:
    """Print the state of the jobs of each stage and the expected end."""
    folder, plan = read_plan(snakemake or (), Path(__file__).parents[2])
    os.chdir(folder)
    status = run_status(Path(plan.settings.work_dir), Path.cwd(), time.time())
    typer.echo(status_text(status, Costs.of(plan)))


if __name__ == "__main__":
    run(show_status)
