"""Write config/config.yaml and config/config.schema.json from the settings' models."""

from pathlib import Path
from typing import Annotated

import typer

from clairemap.config_file import default_yaml, json_schema
from clairemap.console import run
from clairemap.provenance import write_text_whole

CONFIG = Path(__file__).parents[2] / "config"


def write_config(folder: Annotated[Path, typer.Option(help="folder to write to")] = CONFIG) -> None:
    """Write the commented defaults and the JSON schema."""
    write_text_whole(folder / "config.yaml", default_yaml())
    write_text_whole(folder / "config.schema.json", json_schema())


if __name__ == "__main__":
    run(write_config)
