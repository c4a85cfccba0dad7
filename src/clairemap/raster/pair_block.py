"""A window of a scene's pair of sensors: what tiling reads, what a scene's store holds, what a tile consists of."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clairemap.grid.window import Window
from clairemap.validity import Flags


@dataclass(frozen=True, eq=False)
class PairBlock:
    """The layers of a window, named as in the store of a scene (``pair.zarr``).

    `optical` (band, y, x) has the optical raster's number type, its scale applied; `sar` (band, y, x) is float32, NaN
    where invalid; `label` (y, x) holds class indices, IGNORE_INDEX where there is none; `validity` (y, x) holds
    `Validity` flags.
    """

    optical: NDArray[Any]
    sar: NDArray[np.float32]
    label: NDArray[np.uint8]
    validity: Flags

    @property
    def layers(self) -> dict[str, NDArray[Any]]:
        """The arrays by the names of their layers."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def cropped(self, window: Window) -> "PairBlock":
        """Return the layers of a window that lies in this one and is counted from its upper left pixel; no copy."""
        return PairBlock(**{name: values[..., *window.slices] for name, values in self.layers.items()})
