"""Writing a scene's result band by band, so that each file of the store is written once."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from clairemap.grid.tiles import tiles
from clairemap.grid.window import Window
from clairemap.inference.probabilities import OPTICAL_SHARE, PROBABILITY, SHARE_NODATA
from clairemap.raster.store import GridStore


@dataclass(frozen=True)
class CoreResult:
    """A core's result: `probability` uint8 (class, y, x), `optical_share` uint8 percent (y, x), 255 nodata."""

    core: Window
    probability: NDArray[np.uint8]
    optical_share: NDArray[np.uint8]


class BandWriter:
    """Collects cores, top to bottom, into bands as high as a shard; use as a context manager.

    A band is written while the next one is filled: two bands of (classes + 1) bytes for each pixel are in memory.
    """

    def __init__(self, store: GridStore) -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._writing: Future[None] | None = None
        self._band: CoreResult | None = None

    def __enter__(self) -> Self:
        return self

    def put(self, result: CoreResult) -> None:
        """Take a core's result; cores never put are nodata.

        Raises:
            OSError: an earlier band could not be written.
        """
        if self._band is None or result.core.y0 >= self._band.core.y1:
            self._flush()
            self._band = self._empty_band(result.core.y0)
        place = result.core.relative_to(self._band.core).slices
        self._band.probability[:, *place] = result.probability
        self._band.optical_share[place] = result.optical_share

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._flush()
                self._wait()
        finally:
            self._thread.shutdown()

    def _empty_band(self, y0: int) -> CoreResult:
        height = self._store.shard_px
        window = Window(y0 // height * height, 0, height, self._store.shape[1]).clipped(self._store.shape)
        classes = self._store.array(PROBABILITY).shape[0]
        probability = np.zeros((classes, *window.shape), np.uint8)
        return CoreResult(window, probability, np.full(window.shape, SHARE_NODATA, np.uint8))

    def _flush(self) -> None:
        self._wait()
        if self._band is not None:
            self._writing = self._thread.submit(_write, self._store, self._band)
            self._band = None

    def _wait(self) -> None:
        if self._writing is not None:
            self._writing.result()
            self._writing = None


def _write(store: GridStore, band: CoreResult) -> None:
    for tile in tiles(band.core.shape, store.shard_px):
        part = tile.window
        place = Window(band.core.y0 + part.y0, part.x0, part.height, part.width)
        store.write(PROBABILITY, place, band.probability[:, *part.slices])
        store.write(OPTICAL_SHARE, place, band.optical_share[part.slices])
