"""Keep the finished results of stages in spite of a change of the code."""

import sys
from typing import Annotated

import typer

from clairemap.console import run
from clairemap.errors import OperationError
from clairemap.operations.accept import accept, candidates
from clairemap.operations.accept_text import accept_text
from clairemap.operations.costs import Costs
from clairemap.operations.dry_run import dry_run


def accept_stage(
    snakemake: Annotated[list[str] | None, typer.Argument(help="options of snakemake, after --")] = None,
    *,
    stage: Annotated[list[str], typer.Option(help="stage whose results are kept, such as train_model (repeat)")],
    yes: Annotated[bool, typer.Option(help="do not ask")] = False,
) -> None:
    """List what is kept and what that means, ask, and record it."""
    stages = list(dict.fromkeys(name for names in stage for name in names.split()))
    if not stages:
        raise OperationError("no stage named; for example: make accept STAGE=train_model")
    dry = dry_run(snakemake or ())
    chosen = candidates(dry, stages)
    typer.echo(accept_text(dry, chosen, Costs.of(dry.plan)))
    if not yes:
        _ask()
    accept(dry, chosen)
    typer.echo(f"\nAccepted: {', '.join(stages)}. What would run now: make plan")


def _ask() -> None:
    """Ask on a terminal.

    Raises:
        OperationError: the answer is no, or there is no terminal.
    """
    if not sys.stdin.isatty():
        raise OperationError("nothing was accepted: to accept without a question, add YES=1")
    if not typer.confirm("\nAccept these results?"):
        raise OperationError("nothing was accepted")


if __name__ == "__main__":
    run(accept_stage)
