"""Write a scene's result shard by shard, so that each file of the store is written once, completely."""

import shutil
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clairemap.classes import SHARE_NODATA
from clairemap.disk import disk_full, is_disk_full
from clairemap.errors import StoreError
from clairemap.grid.window import Window
from clairemap.inference.probabilities import OPTICAL_SHARE, PROBABILITY
from clairemap.raster.store import GridStore


@dataclass(frozen=True)
class CoreResult:
    """Result of a core: `probability` (class, y, x) in 1/255, `optical_share` (y, x) in percent, 255 nodata."""

    core: Window
    probability: NDArray[np.uint8]
    optical_share: NDArray[np.uint8]


class ShardWriter:
    """Assembles shards from cores; writes a shard when the next one begins.

    Memory: one shard, (classes + 1) bytes per pixel; none if each core is a shard.
    """

    def __init__(self, store: GridStore) -> None:
        self._store = store
        self._shard: CoreResult | None = None

    def put(self, core: Window, result: CoreResult | None) -> None:
        """Add the result of a core, None without mapped pixels. Cores have to arrive shard by shard.

        Raises:
            OSError: a shard cannot be written.
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
        """Write the last shard; errors as for `put`."""
        if self._shard is not None:
            write_shard(self._store, self._shard)
            self._shard = None

    def _empty(self, place: Window) -> CoreResult:
        classes = self._store.array(PROBABILITY).shape[0]
        probability = np.zeros((classes, *place.shape), np.uint8)
        return CoreResult(place, probability, np.full(place.shape, SHARE_NODATA, np.uint8))


def write_shard(store: GridStore, shard: CoreResult) -> None:
    """Write a shard.

    Raises:
        OSError: it cannot be written.
        DiskFullError: no space is left; complete shards are kept, to resume.
        StoreError: another run has taken over the store; files that zarr created at the old path are removed.
    """
    try:
        store.write(PROBABILITY, shard.core, shard.probability)
        store.write(OPTICAL_SHARE, shard.core, shard.optical_share)  # last: its presence means that both are written
    except FileNotFoundError:
        if store.exists:
            raise
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise disk_full(store.path, shard.probability.nbytes / 1e6) from None
    if not store.exists:
        shutil.rmtree(store.path, ignore_errors=True)
        raise StoreError(f"{store.path}: taken over by another run of this job, which will finish it")


def has_result(store: GridStore, shard: Window) -> bool:
    """Return whether a shard is completely written and has a mapped pixel."""
    try:
        mapped = store.read(OPTICAL_SHARE, shard) != SHARE_NODATA
        # Missing files read as 0; mapped pixels have at least one probability above 0.
        return bool(mapped.any()) and np.array_equal(store.read(PROBABILITY, shard).any(axis=0), mapped)
    except StoreError:
        return False


def discard(store: GridStore, shard: Window) -> None:
    """Delete the files of a shard."""
    for name in (OPTICAL_SHARE, PROBABILITY):  # share first: its presence means that both are written
        store.discard(name, shard)
