"""The layers of a window of a scene: the unit that tiling reads, stores contain and tiles consist of."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clairemap.grid.window import Window
from clairemap.validity import Flags


@dataclass(frozen=True, eq=False)
class PairBlock:
    """The layers of a window, named as in a scene's store (``pair.zarr``).

    Attributes:
        optical: optical values (band, y, x) with the raster's scale applied; number type as in the raster.
        sar: SAR values (band, y, x), NaN where invalid.
        label: class indices (y, x), IGNORE_INDEX where there is no label.
        validity: `Validity` flags (y, x).
    """

    optical: NDArray[Any]
    sar: NDArray[np.float32]
    label: NDArray[np.uint8]
    validity: Flags

    @property
    def layers(self) -> dict[str, NDArray[Any]]:
        """The arrays by layer name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def cropped(self, window: Window) -> "PairBlock":
        """Return views of a window inside this one; the window is relative to the upper left pixel."""
        return PairBlock(**{name: values[..., *window.slices] for name, values in self.layers.items()})
