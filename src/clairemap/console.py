"""Command line of the stages: options, log lines, progress, errors and exit codes.

Cluster jobs import this module at the start of Snakemake. typer and tqdm are imported where they are used: together
they would take a twentieth of that start.
"""

import logging
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from clairemap.disk import disk_full, fullest, is_disk_full
from clairemap.errors import ClairemapError, MemoryLimitError

T = TypeVar("T")
log = logging.getLogger(__name__)

PROGRESS_INTERVAL_S = 15.0
"""Time between progress lines in a log, seconds."""


def progress(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield the items and show progress: a bar on a terminal, lines in a log."""
    if sys.stderr.isatty():
        from tqdm import tqdm  # noqa: PLC0415

        yield from tqdm(items, desc=what, total=total, file=sys.stderr)
    else:
        yield from _with_log_lines(items, what, total)


def _with_log_lines(items: Iterable[T], what: str, total: int | None) -> Iterator[T]:
    started = reported = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if now - reported >= PROGRESS_INTERVAL_S:
            log.info("%s: %d of %s after %.0f s", what, done, total or "?", now - started)
            reported = now
        yield item


def warn(text: str) -> None:
    """Log a warning, and show it on the screen too if the log goes to a file.

    A rule's standard error is its log file; Snakemake shows its standard output.
    """
    log.warning(text)
    if not sys.stderr.isatty():
        import typer  # noqa: PLC0415

        typer.echo(f"WARNING: {text}")


def run(stage: Callable[..., Any]) -> None:
    """Run a stage's function; its parameters are the command line options. Errors exit with their code.

    Snakemake and SLURM end jobs with SIGTERM, which is raised as SystemExit, so that temporary files are removed.
    """
    import typer  # noqa: PLC0415

    signal.signal(signal.SIGTERM, _exit_on_signal)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s: %(message)s")
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(stage)
    try:
        app()
    except ClairemapError as error:
        fail(error)
    except OSError as error:
        if not is_disk_full(error):
            raise
        fail(disk_full(error.filename or _fullest_argument()))
    except MemoryError as error:
        log.exception("not enough memory")
        fail(MemoryLimitError(f"not enough memory{f' ({error})' if str(error) else ''}; the job needs more mem_mb"))


def _fullest_argument() -> Path | str:
    """Return that path of the command line whose file system has the least free space."""
    return fullest(Path(word) for word in sys.argv[1:] if "/" in word and not word.startswith(("-", "{"))) or "."


def _exit_on_signal(number: int, _frame: FrameType | None) -> None:
    """Exit with 128 + the signal's number, as shells do: 143 for SIGTERM."""
    signal.signal(number, signal.SIG_IGN)  # a second signal must not interrupt the clean-up
    raise SystemExit(128 + number)


def fail(error: ClairemapError) -> None:
    """Log the error and exit with its code."""
    log.error("%s", error.report)
    raise SystemExit(error.exit_code)
