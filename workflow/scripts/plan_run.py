"""Print what a run would do, why, and what it would cost; start nothing."""

from typing import Annotated

import typer

from clairemap.console import run
from clairemap.operations.costs import Costs
from clairemap.operations.dry_run import dry_run
from clairemap.operations.plan_text import plan_text


def plan_run(
    snakemake: Annotated[list[str] | None, typer.Argument(help="options of snakemake, after --")] = None,
) -> None:
    """Print the jobs of each stage that `snakemake` with these options would run."""
    found = dry_run(snakemake or ())
    typer.echo(plan_text(found.jobs(), len(found.finished), len(found.unrecorded), Costs.of(found.plan), found.machine))


if __name__ == "__main__":
    run(plan_run)
