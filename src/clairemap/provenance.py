"""Provenance of results: hashes of code, settings and files; stamps on outputs; atomic writing.

Each rule has `stage_code` among its ``params``, so that Snakemake reruns it after an edit in the library.
"""

import functools
import hashlib
import json
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import clairemap
from clairemap.disk import disk_full, is_disk_full

PACKAGE = Path(clairemap.__file__).parent
STAMP_PREFIX = "clairemap_"


def stage_code(script: Path) -> str:
    """Return a hash of all code that can change a stage's results: see `stage_definitions`."""
    from clairemap.code.stage import combined  # noqa: PLC0415 - so that stages do not depend on their own analysis

    return combined(stage_definitions(script))


def stage_definitions(script: Path) -> dict[str, str]:
    """Return a hash of each definition that a stage's script reaches by name, by qualified name.

    Log messages, progress, texts of errors, descriptions, docstrings, comments, annotations of functions and formatting
    do not change a hash; ``clairemap.code.neutral`` lists what is left out. Imports in functions count. A file that is
    not a module, such as a template, counts if an imported module in its folder contains its name in a string.
    """
    from clairemap.code.stage import definitions  # noqa: PLC0415

    return definitions(script, PACKAGE)


def json_digest(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return a short hash of a JSON value; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stamp(stage: str, settings_json: str) -> dict[str, str]:
    """Return the tags of an output: version, commit ('unknown' without git), stage, hash of the settings."""
    return {
        f"{STAMP_PREFIX}version": clairemap.__version__,
        f"{STAMP_PREFIX}commit": _commit(),
        f"{STAMP_PREFIX}stage": stage,
        f"{STAMP_PREFIX}settings": json_digest(json.loads(settings_json)),
    }


@functools.cache
def _commit() -> str:
    """Return the checkout's commit; with "-dirty" if files that results depend on have changes."""
    if shutil.which("git") is None:
        return "unknown"
    git = ["git", "-C", str(PACKAGE)]
    commit = subprocess.run([*git, "describe", "--always", "--abbrev=12"], capture_output=True, text=True, check=False)
    if not commit.stdout.strip():
        return "unknown"
    sources = [f":(top){name}" for name in ("src", "workflow", "Snakefile")]  # not profiles, docs, tests
    changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", *sources], capture_output=True, check=False)
    return commit.stdout.strip() + ("-dirty" if changed.returncode == 1 else "")


def temporary_beside(target: Path) -> Path:
    """Return a unique temporary path in the target's folder; create the folder if necessary."""
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.with_name(f".{target.name}.{uuid.uuid4().hex[:12]}.part")


@contextmanager
def written_whole(target: Path) -> Iterator[Path]:
    """Yield a temporary path; rename it to the target at the end of the block, or remove it after an error.

    Raises:
        DiskFullError: no space is left.
    """
    temporary = temporary_beside(target)
    try:
        yield temporary
        temporary.replace(target)
    except OSError as error:
        if is_disk_full(error):
            raise disk_full(target) from error
        raise
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


def write_text_whole(target: Path, text: str) -> None:
    """Write a text file, completely or not at all."""
    with written_whole(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
