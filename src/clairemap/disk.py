"""Messages about full file systems."""

import errno
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from clairemap.errors import DiskFullError


def is_disk_full(error: BaseException) -> bool:
    """Whether an error says that a file system or a quota is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def disk_full(file: Path | str, needed_mb: float | None = None) -> DiskFullError:
    """Return the error for a file that could not be written: names the file, its file system and the free space.

    Args:
        file: the file; it and its folders need not exist.
        needed_mb: space that is still needed at most, MB; None if unknown.
    """
    folder = _existing(Path(file))
    needed = "" if needed_mb is None else f", up to {needed_mb:.1f} MB more needed"
    return DiskFullError(
        f"{file}: no space left on {mount_point(folder)} ({free_mb(folder):.1f} MB free{needed}); free space there, "
        "or check your quota, and run again"
    )


def fullest(paths: Iterable[Path]) -> Path | None:
    """Return the path whose file system has the least free space; None without paths."""
    return min(paths, key=lambda path: free_mb(_existing(path)), default=None)


def free_mb(folder: Path) -> float:
    """Return the free space of a folder's file system, MB."""
    return shutil.disk_usage(folder).free / 1e6


def mount_point(path: Path) -> Path:
    """Return the mount point of the file system of an existing path."""
    path = path.resolve()
    return next(folder for folder in (path, *path.parents) if os.path.ismount(folder))


def _existing(path: Path) -> Path:
    """Return the path itself or its nearest parent that exists."""
    return next(place for place in (path.absolute(), *path.absolute().parents) if place.exists())
