"""Reading the network's windows of a pair: bands, and where each sensor may be used."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clairemap.grid.cover import Step
from clairemap.grid.rounding import align_up
from clairemap.grid.window import Window
from clairemap.raster.store import GridStore
from clairemap.settings import Sensor, View
from clairemap.validity import Mask, optical_usable, sar_usable

SENSORS_OF_VIEW: dict[View, frozenset[Sensor]] = {
    "fused": frozenset({"optical", "sar"}),
    "optical": frozenset({"optical"}),
    "sar": frozenset({"sar"}),
}


@dataclass(frozen=True)
class WindowInput:
    """One window of a pair, as large as `step.outer`; outside the scene bands are 0 and no sensor is usable.

    Bands are (band, y, x) in the store's number types, masks (y, x).
    """

    step: Step
    optical: NDArray[Any]
    sar: NDArray[Any]
    optical_usable: Mask
    sar_usable: Mask


class WindowReader:
    """Reads windows; what one has in common with the one before it in its row is read once.

    That are the halos, and the tiles which both cut. Kept for it: the last window, up to a tile wider. Threads may
    share a reader, which then saves only what happens to be there already.
    """

    def __init__(self, pair: GridStore, sensors: frozenset[Sensor]) -> None:
        """Make a reader of a store for those sensors that may be used."""
        self._pair = pair
        self._sensors = sensors
        self._last: dict[str, _Block] = {}

    def read(self, step: Step) -> WindowInput | None:
        """Return a step's window, or None where nothing in its core can be mapped.

        Raises:
            StoreError: the pair's files are damaged.
        """
        place = _Place(step.outer, step.outer.clipped(self._pair.shape))
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

    def _read_bands(self, name: str, place: "_Place", usable: Mask) -> NDArray[Any]:
        """Return a sensor's bands; zeros, unread, where none of its pixels are usable."""
        if not usable.any():
            array = self._pair.array(name)
            return np.zeros((array.shape[0], *place.outer.shape), array.dtype)
        return place.padded(self._read(name, place.inside))

    def _read(self, name: str, window: Window) -> NDArray[Any]:
        last, tile_px = self._last.get(name), self._pair.tile_px
        until = min(align_up(window.x1, tile_px), self._pair.shape[1])
        wide = Window(window.y0, window.x0, window.height, until - window.x0)
        known = last.of(wide) if last else None
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

    def of(self, wanted: Window) -> NDArray[Any] | None:
        """Return the left part of a window of the same rows; None if it is not known."""
        own = self.window
        if (own.y0, own.y1) != (wanted.y0, wanted.y1) or not own.x0 <= wanted.x0 < own.x1 <= wanted.x1:
            return None
        return self.values[..., wanted.x0 - own.x0 :]


@dataclass(frozen=True)
class _Place:
    """A window that reaches over the scene's edge, and the part of it that lies inside."""

    outer: Window
    inside: Window

    def padded(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the values of the part inside, with 0 around them; the same array if there is no around."""
        if self.outer == self.inside:
            return values
        target = np.zeros((*values.shape[:-2], *self.outer.shape), values.dtype)
        target[..., *self.inside.relative_to(self.outer).slices] = values
        return target
