"""Unfinished stores: kept when a run is interrupted, so that the next run of the same job resumes.

An unfinished store is next to its target; its name contains the fingerprint of the job and a suffix unique to the run.
A run takes over the store of another by renaming it. If the other is still running (for example, orphaned by its
scheduler), it fails because its store is gone; if two runs try to take over a store, one succeeds.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from clairemap.provenance import temporary_beside


@contextmanager
def unfinished(target: Path, fingerprint: str) -> Iterator[Path]:
    """Yield the path of the job's unfinished store, which exists only if an earlier run left it.

    Unfinished stores of other jobs for this target (other settings or code) are deleted. The block has to move the
    store to the target; if the block fails, the store is kept.

    Args:
        target: path of the finished store.
        fingerprint: hash of everything that the result depends on, in characters allowed in file names.
    """
    unfinished_path = temporary_beside(target.with_name(f"{target.name}.{fingerprint}"))
    found = list(target.parent.glob(f".{target.name}.*.part"))
    resumable = [store for store in found if f".{fingerprint}." in store.name and (store / "zarr.json").is_file()]
    for store in sorted(resumable, key=_bytes, reverse=True):
        if not unfinished_path.exists():
            _take_over(store, unfinished_path)
    for store in found:
        shutil.rmtree(store, ignore_errors=True)
    yield unfinished_path


def _bytes(store: Path) -> int:
    """Return the size of a store's files; another run may still write, move or merge them."""
    total = 0
    for file in store.rglob("*"):
        with suppress(FileNotFoundError):
            total += file.lstat().st_size
    return total


def _take_over(store: Path, unfinished_path: Path) -> None:
    try:
        store.rename(unfinished_path)
    except FileNotFoundError:  # another run was faster
        return
