"""Temporary files of killed jobs: ``.NAME.<12 hexadecimal digits>.part``, named by `provenance.temporary_beside`."""

import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PART = re.compile(r"\..+\.[0-9a-f]{12}\.part")
RESUMABLE = re.compile(r"\.(?P<store>.+\.zarr)\.[0-9a-f]{8,}\.[0-9a-f]{12}\.part")
"""Name of an incomplete store from which its job resumes (`inference.unfinished`)."""


@dataclass(frozen=True)
class Leftovers:
    """Temporary files by what is done with them."""

    removable: list[Path]
    resumable: list[Path]
    recent: list[Path]


def find_leftovers(folders: Iterable[Path], before: float) -> Leftovers:
    """Return the temporary files in folders and their subfolders.

    Stores are not searched; a finished store contains no temporary files.

    Args:
        folders: folders to search; absent ones are skipped.
        before: files changed after this time, seconds since 1970, may belong to a running job.
    """
    found = Leftovers([], [], [])
    for path in sorted({part for folder in folders for part in _parts(folder)}):
        if _is_resumable(path):
            found.resumable.append(path)
        elif _changed(path) < before:
            found.removable.append(path)
        else:
            found.recent.append(path)
    return found


def _parts(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        parts = [name for name in (*folders, *files) if PART.fullmatch(name)]
        yield from (Path(place) / name for name in parts)
        folders[:] = [name for name in folders if name not in parts and not name.endswith(".zarr")]


def _is_resumable(path: Path) -> bool:
    """Whether the job of an incomplete store resumes from it: the store has begun and its target is not complete."""
    match = RESUMABLE.fullmatch(path.name)
    return match is not None and (path / "zarr.json").is_file() and not path.with_name(match["store"]).exists()


def _changed(path: Path) -> float:
    """Return the last change of a file, or of a folder and its direct content; now if it has just gone."""
    try:
        inside = [entry.stat(follow_symlinks=False).st_mtime for entry in os.scandir(path)] if path.is_dir() else []
        return max([path.lstat().st_mtime, *inside])
    except FileNotFoundError:
        return time.time()


def remove(path: Path) -> None:
    """Remove a file or folder; it may be gone already."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
