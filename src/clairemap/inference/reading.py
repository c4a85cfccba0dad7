"""Read windows of a pair: bands and usable pixels of each sensor."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clairemap.grid.cover import Step
from clairemap.grid.rounding import align_up
from clairemap.grid.window import Window
from clairemap.outputs import FUSED
from clairemap.raster.store import GridStore
from clairemap.settings import Sensor, View
from clairemap.validity import Mask, optical_usable, sar_usable

SENSORS_OF_VIEW: dict[View, frozenset[Sensor]] = {
    FUSED: frozenset({"optical", "sar"}),
    "optical": frozenset({"optical"}),
    "sar": frozenset({"sar"}),
}


@dataclass(frozen=True)
class WindowInput:
    """One window of a pair, of the size of `step.outer`; bands are 0 and unusable outside the scene.

    Bands are (band, y, x) in the data types of the store, masks (y, x).
    """

    step: Step
    optical: NDArray[Any]
    sar: NDArray[Any]
    optical_usable: Mask
    sar_usable: Mask


class WindowReader:
    """Reads windows; tiles that a window shares with the previous one in its row are read once.

    Keeps the last window, up to one tile wider. Threads may share a reader, but then reuse fewer tiles.
    """

    def __init__(self, pair: GridStore, sensors: frozenset[Sensor]) -> None:
        """Create a reader for the given sensors of a store."""
        self._pair = pair
        self._sensors = sensors
        self._last: dict[str, _Block] = {}

    def read(self, step: Step) -> WindowInput | None:
        """Return the window of a step, or None if its core has no usable pixel.

        Raises:
            StoreError: the pair's files are damaged.
        """
        place = _PaddedWindow(step.outer, step.outer.clipped(self._pair.shape))
        flags = self._read("validity", place.inside)
        nowhere = np.zeros(flags.shape, np.bool_)
        optical = optical_usable(flags) if "optical" in self._sensors else nowhere
        sar = sar_usable(flags) if "sar" in self._sensors else nowhere
        core = step.core.relative_to(place.inside).slices
        if not (optical[core].any() or sar[core].any()):
            return None
        return WindowInput(
            step,
            self._read_bands("optical", place, optical),
            self._read_bands("sar", place, sar),
            place.padded(optical),
            place.padded(sar),
        )

    def _read_bands(self, name: str, place: "_PaddedWindow", usable: Mask) -> NDArray[Any]:
        """Return a sensor's bands; zeros, without reading, if no pixel is usable."""
        if not usable.any():
            array = self._pair.array(name)
            return np.zeros((array.shape[0], *place.outer.shape), array.dtype)
        return place.padded(self._read(name, place.inside))

    def _read(self, name: str, window: Window) -> NDArray[Any]:
        last, tile_px = self._last.get(name), self._pair.tile_px
        until = min(align_up(window.x1, tile_px), self._pair.shape[1])
        wide = Window(window.y0, window.x0, window.height, until - window.x0)
        known = last.columns_of(wide) if last else None
        start = window.x0 + (0 if known is None else known.shape[-1])
        if known is not None and start == until:
            return known[..., : window.width]
        new = self._pair.read(name, Window(window.y0, start, window.height, until - start))
        values = new if known is None else np.concatenate([known, new], axis=-1)
        self._last[name] = _Block(wide, values)
        return values[..., : window.width]


class _Block(NamedTuple):
    """Values (…, y, x) of a window."""

    window: Window
    values: NDArray[Any]

    def columns_of(self, window: Window) -> NDArray[Any] | None:
        """Return the left columns of a window that are in this block; None if there are none or rows differ."""
        own = self.window
        if (own.y0, own.y1) != (window.y0, window.y1) or not own.x0 <= window.x0 < own.x1 <= window.x1:
            return None
        return self.values[..., window.x0 - own.x0 :]


@dataclass(frozen=True)
class _PaddedWindow:
    """A window that may extend beyond the scene, and its intersection with the scene."""

    outer: Window
    inside: Window

    def padded(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the values inside the scene, padded with 0; the same array without padding."""
        if self.outer == self.inside:
            return values
        target = np.zeros((*values.shape[:-2], *self.outer.shape), values.dtype)
        target[..., *self.inside.relative_to(self.outer).slices] = values
        return target
