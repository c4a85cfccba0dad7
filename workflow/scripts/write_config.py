"""Write config/config.yaml and workflow/schemas/ from the models of settings and sample sheet."""

from pathlib import Path
from typing import Annotated

import typer

from clairemap.config_file import config_schema, default_yaml, sheet_schema
from clairemap.console import run
from clairemap.provenance import write_text_whole

PROJECT = Path(__file__).parents[2]


def write_config(project: Annotated[Path, typer.Option(help="folder of the project")] = PROJECT) -> None:
    """Write the commented defaults and the JSON schemas of settings and sample sheet."""
    write_text_whole(project / "config" / "config.yaml", default_yaml())
    write_text_whole(project / "workflow" / "schemas" / "config.schema.json", config_schema())
    write_text_whole(project / "workflow" / "schemas" / "scenes.schema.json", sheet_schema())


if __name__ == "__main__":
    run(write_config)
