"""Settings that Snakemake's command line names, without planning a run."""

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import snakemake.cli
from snakemake.common.configfile import load_configfile
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

from clairemap.errors import OperationError
from clairemap.model_folder import with_model
from clairemap.operations.given_options import check_given_once
from clairemap.plan import Plan


def parsed(words: Sequence[str]) -> tuple[Any, Any]:
    """Return Snakemake's parser and the options of a dry run.

    Raises:
        OperationError: an option is wrong.
        SettingsError: an option with settings is given several times.
    """
    check_given_once(words)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            parser, args = snakemake.cli.parse_args([*words, "--dry-run", "--quiet"])
    except SystemExit:
        last = said.getvalue().strip().splitlines()[-1:]
        fault = last[0].split("error: ")[-1] if last else "wrong options"
        raise OperationError(f"options of snakemake (ARGS): {fault}") from None
    return parser, args


def read_plan(words: Sequence[str], checkout: Path) -> tuple[Path, Plan]:
    """Return the folder of the run, and its settings and scenes.

    Args:
        words: options of Snakemake.
        checkout: folder of the Snakefile.

    Raises:
        OperationError: a config file cannot be read.
        SettingsError, SampleSheetError, MissingFileError: settings or sheet are not valid.
    """
    _, args = parsed(words)
    folder = Path(args.directory or ".").absolute()
    config: dict[str, Any] = {}
    files = [Path(path).absolute() for path in args.configfile or ()]
    try:
        for path in files:
            update_config(config, load_configfile(path))
    except (WorkflowError, OSError) as error:
        raise OperationError(f"{path}: cannot be read as a config file ({error})") from None
    update_config(config, snakemake.cli.parse_config(args.config))
    named = ", ".join(map(str, args.configfile or ())) or "config/config.yaml"
    with contextlib.chdir(folder):
        return folder, Plan.read(with_model(config, config), checkout, named)
