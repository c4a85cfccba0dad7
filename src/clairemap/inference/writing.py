"""Writing a scene's result shard by shard, so that each file of the store is written once and is then whole."""

import errno
import shutil
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clairemap.classes import SHARE_NODATA
from clairemap.errors import DiskFullError, StoreError
from clairemap.grid.window import Window
from clairemap.inference.probabilities import OPTICAL_SHARE, PROBABILITY
from clairemap.raster.store import GridStore


@dataclass(frozen=True)
class CoreResult:
    """A core's result: `probability` uint8 (class, y, x), `optical_share` uint8 percent (y, x), 255 nodata."""

    core: Window
    probability: NDArray[np.uint8]
    optical_share: NDArray[np.uint8]


class ShardWriter:
    """Puts cores together to shards, and writes each shard when it is whole, or when a core of the next one comes.

    Memory: one shard, (classes + 1) bytes for each pixel; none if each core is a shard.
    """

    def __init__(self, store: GridStore) -> None:
        self._store = store
        self._shard: CoreResult | None = None

    def put(self, core: Window, result: CoreResult | None) -> None:
        """Take a core's result, None if it has no valid pixel. All cores of a shard come one after another.

        Raises:
            OSError: a shard could not be written.
            StoreError: another run has taken over the store.
        """
        if result is None:
            return
        side = self._store.shard_px
        place = Window(core.y0 // side * side, core.x0 // side * side, side, side).clipped(self._store.shape)
        if place == core:
            write_shard(self._store, result)
            return
        if self._shard is None or self._shard.core != place:
            self.finish()
            self._shard = self._empty(place)
        within = core.relative_to(place).slices
        self._shard.probability[:, *within] = result.probability
        self._shard.optical_share[within] = result.optical_share

    def finish(self) -> None:
        """Write what is not written yet; raises what `put` raises."""
        if self._shard is not None:
            write_shard(self._store, self._shard)
            self._shard = None

    def _empty(self, place: Window) -> CoreResult:
        classes = self._store.array(PROBABILITY).shape[0]
        probability = np.zeros((classes, *place.shape), np.uint8)
        return CoreResult(place, probability, np.full(place.shape, SHARE_NODATA, np.uint8))


def write_shard(store: GridStore, shard: CoreResult) -> None:
    """Write a whole shard.

    Raises:
        OSError: it could not be written.
        DiskFullError: no space is left; what was written stays for a later run.
        StoreError: another run has taken over the store; what zarr made of the old place is removed.
    """
    try:
        store.write(PROBABILITY, shard.core, shard.probability)
        store.write(OPTICAL_SHARE, shard.core, shard.optical_share)  # last: where it is, both are
    except FileNotFoundError:
        if store.exists:
            raise
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        free, needed = shutil.disk_usage(store.path.parent).free, shard.probability.nbytes
        raise DiskFullError(
            f"{store.path}: no space left ({free / 1e6:.1f} MB free, up to {needed / 1e6:.1f} MB needed for each "
            "of its files): free some, run again; it goes on behind what is written"
        ) from None
    if not store.exists:
        shutil.rmtree(store.path, ignore_errors=True)
        raise StoreError(f"{store.path} is gone: another run of this job has taken it over, and will end it")


def is_written(store: GridStore, shard: Window) -> bool:
    """Return whether a shard with any result was written before, and is whole."""
    try:
        valid = store.read(OPTICAL_SHARE, shard) != SHARE_NODATA
        # What is lost reads as 0; where there is a result, at least one class is above.
        return bool(valid.any()) and np.array_equal(store.read(PROBABILITY, shard).any(axis=0), valid)
    except StoreError:
        return False


def discard(store: GridStore, shard: Window) -> None:
    """Delete what is written of a shard."""
    for name in (OPTICAL_SHARE, PROBABILITY):  # in this order: the share says that both are there
        store.discard(name, shard)
