"""Class indices painted over a whole grid, kept in a scratch file: memory does not depend on the grid's size."""

import mmap
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from clairemap.classes import IGNORE_INDEX
from clairemap.grid.window import Window
from clairemap.labels.scanlines import Spans

OVERLAP = 254
"""Value of pixels inside polygons of different classes."""

PIXELS_AT_ONCE = 2**20
"""Number of pixels painted at once: about 40 MB of memory."""

RELEASE_PX = 2**25
"""Painted or read pixels after which mapped pages are given back to the system."""


class Canvas:
    """An array of class indices (height, width): `IGNORE_INDEX` where nothing is painted; a context manager.

    The order of painting changes nothing.
    """

    def __init__(self, scratch: Path, shape: tuple[int, int]) -> None:
        """Create the scratch file, of one byte per pixel."""
        self.shape = shape
        self._touched_px = 0
        self._scratch = scratch
        with scratch.open("wb") as file:
            row = np.full(shape[1], IGNORE_INDEX, np.uint8).tobytes()
            for _ in range(shape[0]):
                file.write(row)
        with scratch.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._pixels = np.frombuffer(self._map, np.uint8)

    def __enter__(self) -> Self:
        """Return the canvas."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Delete the scratch file."""
        del self._pixels
        self._map.close()
        self._scratch.unlink(missing_ok=True)

    def paint(self, spans: Spans, index_of_polygon: NDArray[np.uint8]) -> None:
        """Paint the spans with the class indices of their polygons; pixels with another index become `OVERLAP`."""
        starts, lengths = spans.row * self.shape[1] + spans.start, spans.stop - spans.start
        values = index_of_polygon[spans.polygon]
        ends = np.cumsum(lengths)
        first = 0
        while first < len(lengths):
            done = ends[first] - lengths[first]
            last = max(first + 1, int(np.searchsorted(ends, done + PIXELS_AT_ONCE, side="right")))
            part = slice(first, last)
            self._paint(starts[part], lengths[part], values[part])
            first = last

    def _paint(self, starts: NDArray[np.int64], lengths: NDArray[np.int64], values: NDArray[np.uint8]) -> None:
        offsets = np.cumsum(lengths) - lengths
        place = np.repeat(starts - offsets, lengths) + np.arange(int(lengths.sum()))
        value = np.repeat(values, lengths)
        before = self._pixels[place]
        self._pixels[place] = value  # of equal places, the last value stays
        clash = ((before != IGNORE_INDEX) & (before != value)) | (self._pixels[place] != value)
        self._pixels[place[clash]] = OVERLAP
        self._release(len(place))

    def _release(self, touched_px: int) -> None:
        self._touched_px += touched_px
        if self._touched_px > RELEASE_PX and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)  # the file keeps the content
            self._touched_px = 0

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Return a copy of a window of the grid."""
        pixels: NDArray[np.uint8] = self._pixels.reshape(self.shape)[window.slices].copy()
        self._release(pixels.size)
        return pixels
