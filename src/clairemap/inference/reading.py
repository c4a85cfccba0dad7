"""Reading the network's windows of a pair: bands, and where each sensor may be used."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clairemap.grid.cover import Step
from clairemap.grid.window import Window
from clairemap.raster.store import GridStore
from clairemap.settings import Sensor, View
from clairemap.validity import Mask, optical_usable, sar_usable

SENSORS: dict[View, frozenset[Sensor]] = {
    "fused": frozenset({"optical", "sar"}),
    "optical": frozenset({"optical"}),
    "sar": frozenset({"sar"}),
}


@dataclass(frozen=True)
class Reading:
    """One window of a pair, as large as `step.outer`; outside the scene bands are 0 and no sensor is usable.

    Bands are (band, y, x) in the store's number types, masks (y, x).
    """

    step: Step
    optical: NDArray[Any]
    sar: NDArray[Any]
    optical_usable: Mask
    sar_usable: Mask


def read_window(pair: GridStore, step: Step, sensors: frozenset[Sensor]) -> Reading | None:
    """Return a step's window, or None where nothing in its core can be mapped.

    Args:
        pair: store to read.
        step: the window.
        sensors: those that may be used.

    Raises:
        StoreError: the pair's files are damaged.
    """
    inside = step.outer.clipped(pair.shape)
    flags = pair.read("validity", inside)
    nowhere = np.zeros(inside.shape, np.bool_)
    optical = optical_usable(flags) if "optical" in sensors else nowhere
    sar = sar_usable(flags) if "sar" in sensors else nowhere
    core = step.core.relative_to(inside).slices
    if not (optical[core].any() or sar[core].any()):
        return None
    place = _Place(step.outer, inside)
    return Reading(
        step,
        _read_bands(pair, "optical", place, optical),
        _read_bands(pair, "sar", place, sar),
        place.padded(optical),
        place.padded(sar),
    )


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


def _read_bands(pair: GridStore, name: str, place: _Place, usable: Mask) -> NDArray[Any]:
    """Return a sensor's bands; zeros, unread, where none of its pixels are usable."""
    array = pair.array(name)
    if not usable.any():
        return np.zeros((array.shape[0], *place.outer.shape), array.dtype)
    return place.padded(pair.read(name, place.inside))
