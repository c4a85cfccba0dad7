"""Ground area of each pixel of a window; a pixel's value does not depend on the window."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from clairemap.grid.window import Window
from clairemap.metrics.class_areas import PixelArea

M2_PER_HA = 10_000
COLUMNS_PX = 1024
"""Areas are computed in columns of this width, so that rounding does not depend on the window."""


@dataclass(frozen=True)
class PixelAreas:
    """Areas of a grid's pixels."""

    pixel_area: PixelArea

    @classmethod
    def of(cls, geobox: GeoBox) -> "PixelAreas":
        """Return the areas of a grid's pixels."""
        return cls(PixelArea.of(geobox))

    @property
    def known(self) -> bool:
        """Whether areas are known: the grid has a CRS."""
        return self.pixel_area.known

    def m2(self, window: Window) -> NDArray[np.float64]:
        """Return the area of each pixel of a window, square metres, read-only (y, x).

        Raises:
            ValueError: areas are unknown.
        """
        if self.pixel_area.planar_m2 is not None:
            return np.broadcast_to(np.float64(self.pixel_area.planar_m2), window.shape)
        width = int(self.pixel_area.geobox.shape[1])
        areas = np.empty(window.shape)
        for x0 in range(window.x0 // COLUMNS_PX * COLUMNS_PX, window.x1, COLUMNS_PX):
            column = Window(window.y0, x0, window.height, min(COLUMNS_PX, width - x0))
            for part in self.pixel_area.uniform_windows(column):
                here = part.intersection(window)
                if not here.is_empty:
                    areas[here.relative_to(window).slices] = self.pixel_area.of_rows(part)[:, None]
        return areas
