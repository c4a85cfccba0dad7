"""Clean up after Snakemake or its jobs were killed: make recover."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from clairemap.console import run
from clairemap.operations import recover as recovery


def recover(
    *,
    folder: Annotated[Path, typer.Option(help="folder in which Snakemake runs")] = Path(),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only list what would be done")] = False,
    unrecorded: Annotated[
        Literal["ask", "rerun", "keep"],
        typer.Option(help="outputs without a record of their settings: report, delete, or accept as current"),
    ] = "ask",
    take_over: Annotated[
        Path | None, typer.Option(help="work_dir or results of a region of another folder, to be used here")
    ] = None,
) -> None:
    """Cancel jobs that still run, unlock the folder and remove incomplete files. Finished outputs are kept."""
    folder = folder.resolve()
    if take_over is not None:
        typer.echo(recovery.take_over(take_over, folder, dry_run=dry_run))
    lines = 0
    for line in recovery.recover(folder, unrecorded=unrecorded, dry_run=dry_run):
        typer.echo(line)
        lines += 1
    if dry_run:
        typer.echo("Nothing was changed (--dry-run).")
    else:
        after = "Now run Snakemake with the same command as before." if lines else f"Nothing to recover in {folder}."
        typer.echo(after)


if __name__ == "__main__":
    run(recover)
