"""Listings of folders, kept as long as a folder does not change: many cells of a sheet look into the same folder."""

import functools
import os
import time
from dataclasses import dataclass
from pathlib import Path

from clairemap.raster.members import SETTLED_NS


@dataclass(frozen=True)
class Listing:
    """Names in a folder, sorted."""

    files: tuple[str, ...]
    folders: tuple[str, ...]


def names_in(folder: Path) -> Listing:
    """Return the names in a folder; none if it may not be listed or does not exist."""
    try:
        changed_ns = folder.stat().st_mtime_ns
        # A folder that has just changed may change again without a new time.
        is_settled = time.time_ns() - changed_ns > SETTLED_NS
        return _kept(str(folder), changed_ns) if is_settled else _listing(str(folder))
    except OSError:
        return Listing((), ())


@functools.lru_cache(maxsize=1024)
def _kept(folder: str, _mtime_ns: int) -> Listing:
    return _listing(folder)


def _listing(folder: str) -> Listing:
    with os.scandir(folder) as entries:
        found = sorted((entry.name, entry.is_dir()) for entry in entries)
    return Listing(
        tuple(name for name, is_folder in found if not is_folder),
        tuple(name for name, is_folder in found if is_folder),
    )
