"""Strata of a land-cover map: its classes, optionally a buffer around one class, optionally crossed with zones."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from clairemap.accuracy.draw import OUTSIDE
from clairemap.classes import MAP_NODATA, Legend
from clairemap.grid.tiles import tiles
from clairemap.grid.window import Window
from clairemap.raster.source import RasterSource

WINDOW_PX = 1024

ZoneOf = Callable[[Window], NDArray[np.int32]]
"""Returns the zone of each pixel of a window, 0-based, (y, x), or `OUTSIDE`."""


@dataclass(frozen=True)
class Buffer:
    """A stratum of pixels within `px` rows and columns of a class, 0-based, but not of the class."""

    around: int
    px: int


@dataclass(frozen=True)
class Stratification:
    """Division of a map into strata: one per class, one for the buffer, all of them in each zone.

    Olofsson et al. 2020, "Mitigating the effects of omission errors on area and area change estimates", Remote Sensing
    of Environment 236: a buffer around a rare class contains most of its omission errors, so that few units there
    reduce the variance that single omissions in a large stratum cause.
    """

    legend: Legend
    buffer: Buffer | None = None
    zones: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each stratum."""
        kinds = [each.name for each in self.legend.classes]
        if self.buffer:
            kinds.append(f"near {kinds[self.buffer.around]}")
        if not self.zones:
            return tuple(kinds)
        return tuple(f"{zone}: {kind}" for zone in self.zones for kind in kinds)

    def windows(
        self, source: RasterSource, zone_of: ZoneOf | None = None
    ) -> Iterator[tuple[Window, NDArray[np.int32]]]:
        """Yield the windows of a map that have data, with the stratum of each pixel or `OUTSIDE`.

        Memory: a window of 1024 x 1024 px.

        Raises:
            UnreadableFileError: the map is damaged.
        """
        index_of = np.full(256, OUTSIDE, np.int32)
        index_of[self.legend.codes] = np.arange(len(self.legend))
        for tile in tiles(source.shape, WINDOW_PX):
            if not source.is_stored(tile.window):
                continue
            strata = self._kinds(source, tile.window, index_of)
            if zone_of is not None:
                strata = self._crossed(strata, zone_of(tile.window))
            yield tile.window, strata

    def _kinds(self, source: RasterSource, window: Window, index_of: NDArray[np.int32]) -> NDArray[np.int32]:
        if self.buffer is None:
            return index_of[_codes(source, window)]
        wide = window.grown(self.buffer.px)
        classes = index_of[_codes(source, wide)]
        near = maximum_filter(classes == self.buffer.around, size=2 * self.buffer.px + 1, mode="constant")
        near &= (classes != self.buffer.around) & (classes != OUTSIDE)
        classes[near] = len(self.legend)
        return classes[window.relative_to(wide).slices]

    def _crossed(self, kinds: NDArray[np.int32], zones: NDArray[np.int32]) -> NDArray[np.int32]:
        count = len(self.legend) + (self.buffer is not None)
        return np.where((kinds == OUTSIDE) | (zones == OUTSIDE), np.int32(OUTSIDE), zones * count + kinds)


def _codes(source: RasterSource, window: Window) -> NDArray[np.uint8]:
    block = source.read(window, (1,))
    return np.where(block.valid, block.values[0], MAP_NODATA).astype(np.uint8)
