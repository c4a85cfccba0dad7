"""What a stage shows while it runs: log lines, a progress bar, and one clear line when it fails."""

import errno
import logging
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import Any, TypeVar

import typer
from tqdm import tqdm

from clairemap.errors import ClairemapError, DiskFullError

T = TypeVar("T")
log = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES_IN_A_JOB = 15.0


def progress(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield the items and show how far they are: a bar on a terminal, a line now and then in a job's log."""
    if sys.stderr.isatty():
        yield from tqdm(items, desc=what, total=total, file=sys.stderr)
    else:
        yield from _with_log_lines(items, what, total)


def _with_log_lines(items: Iterable[T], what: str, total: int | None) -> Iterator[T]:
    started = reported = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if now - reported >= SECONDS_BETWEEN_LINES_IN_A_JOB:
            log.info("%s: %d of %s after %.0f s", what, done, total or "?", now - started)
            reported = now
        yield item


def warn(text: str) -> None:
    """Say what a user has to know while the stage goes on: in the log, and on the screen if the log is not there.

    A rule's log takes its standard error; what goes to standard output Snakemake shows among its own lines.
    """
    log.warning(text)
    if not sys.stderr.isatty():
        typer.echo(f"WARNING: {text}")


def run(stage: Callable[..., Any]) -> None:
    """Run a stage's function as a command line made from its signature; exit with the error's own code.

    SIGTERM, with which Snakemake and SLURM end a job, unwinds the stage, so that it leaves nothing half-written.
    """
    signal.signal(signal.SIGTERM, _leave)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(stage)
    try:
        app()
    except ClairemapError as error:
        fail(error)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        fail(DiskFullError(f"no space left while writing {error.filename or 'an output'}: free some, run again"))


def _leave(number: int, _frame: FrameType | None) -> None:
    """Leave as a shell reports a signal's victim: 128 + its number, 143 for SIGTERM."""
    signal.signal(number, signal.SIG_IGN)  # a second one must not interrupt the cleaning up
    raise SystemExit(128 + number)


def fail(error: ClairemapError) -> None:
    """Log the error as one line and leave with its exit code."""
    log.error("%s (%s, exit code %d)", error, type(error).__name__, error.exit_code)
    raise SystemExit(error.exit_code)
