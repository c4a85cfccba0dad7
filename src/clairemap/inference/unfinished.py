"""Stores that take long to fill: what an interrupted run wrote is kept, and the next run of the same job goes on.

The unfinished store lies beside its target, in a folder whose name holds the job's fingerprint and an ending of the
run's own. A run takes another's over by renaming it. Should that one still be running (an orphan of a lost
scheduler), it finds its folder gone and fails; of two runs that reach for one folder at once one gets it.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clairemap.provenance import temporary_beside


@contextmanager
def unfinished(target: Path, fingerprint: str) -> Iterator[Path]:
    """Give the path of the job's unfinished store: taken over if an earlier run left one, else nothing is there yet.

    What other jobs left unfinished for this target, other settings or other code, is deleted. When the block ends
    well the store must have been moved to its place; when it fails, what is there stays.

    Args:
        target: the store to be.
        fingerprint: of all that the result depends on, in letters that file names may have.
    """
    unfinished_path = temporary_beside(target.with_name(f"{target.name}.{fingerprint}"))
    leftover = list(target.parent.glob(f".{target.name}.*.part"))
    resumable = [store for store in leftover if f".{fingerprint}." in store.name and (store / "zarr.json").is_file()]
    for store in sorted(resumable, key=_files, reverse=True):
        if not unfinished_path.exists():
            _take_over(store, unfinished_path)
    for store in leftover:
        shutil.rmtree(store, ignore_errors=True)
    yield unfinished_path


def _files(store: Path) -> int:
    return sum(1 for _ in store.rglob("*"))


def _take_over(found: Path, unfinished_path: Path) -> None:
    try:
        found.rename(unfinished_path)
    except FileNotFoundError:  # another run was faster
        return
