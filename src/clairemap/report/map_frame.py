"""Coordinates of the interactive map: the map's pixels, turned like its pictures, with ground proportions."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from clairemap.grid.coordinates import apply_affine
from clairemap.grid.earth import crs_name
from clairemap.grid.mapping import OUTSIDE, PixelMapping
from clairemap.grid.window import Window
from clairemap.report.pixel_geometry import PixelGeometry, QuarterTurn, oriented_aspect

GROUND_PLACES = 5
"""Places along each side of the map at which the ground size of a pixel is given, since it varies in some CRSs."""

SIDE_POINTS = 8
"""Points along each side of a scene's outline."""

Points = NDArray[np.float64]
"""Points (n, 2): x, y."""


@dataclass(frozen=True)
class MapFrame:
    """Display coordinates of a map: x to the right and y down, in widths of a turned pixel at the map's centre."""

    grid: GeoBox
    turn: QuarterTurn
    geometry: PixelGeometry | None

    @classmethod
    def of(cls, grid: GeoBox) -> "MapFrame":
        """Return the frame of a map."""
        geometry = PixelGeometry.of(grid)
        turned = geometry is not None and geometry.up_deg is not None
        return cls(grid, geometry.turn if geometry and turned else QuarterTurn(), geometry)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the map in pixels, before it is turned."""
        return int(self.grid.shape[0]), int(self.grid.shape[1])

    @cached_property
    def from_pixels(self) -> Affine:
        """Transform from (x, y) in pixels of the map to display coordinates."""
        return _affine(self._turned)

    def _turned(self, x: float, y: float) -> tuple[float, float]:
        high, wide = self.shape
        if self.turn.mirrored:
            y = high - y
        for _ in range(self.turn.quarters):
            x, y = y, wide - x
            high, wide = wide, high
        return x, y * oriented_aspect(self.geometry)

    def box(self, window: Window) -> tuple[float, float, float, float]:
        """Return left, top, right and bottom of a window."""
        corners = [self._turned(window.x0, window.y0), self._turned(window.x1, window.y1)]
        (left, right), (top, bottom) = (sorted(each) for each in zip(*corners, strict=True))
        return round(left, 2), round(top, 2), round(right, 2), round(bottom, 2)

    def centre(self, row: int, column: int) -> tuple[float, float]:
        """Return x and y of the centre of a pixel."""
        x, y = self._turned(column + 0.5, row + 0.5)
        return round(x, 2), round(y, 2)

    @property
    def to_world(self) -> tuple[float, ...]:
        """Transform from display coordinates to the CRS's: a, b, c, d, e, f of x = ax + by + c, y = dx + ey + f."""
        back = ~self.from_pixels
        return tuple(_affine(lambda x, y: apply_affine(self.grid.transform, *apply_affine(back, x, y)))[:6])

    @property
    def crs_text(self) -> str:
        """Name of the CRS; empty without one."""
        return "" if self.grid.crs is None else crs_name(self.grid.crs)

    def ground_m(self) -> list[list[float | None]]:
        """Return the metres on the ground of a display unit along x, at places spread over the displayed map."""
        left, top, right, bottom = self.box(Window.whole(self.shape))
        shares = (np.arange(GROUND_PLACES) + 0.5) / GROUND_PLACES
        return [[self._ground_at(left + x * (right - left), top + y * (bottom - top)) for x in shares] for y in shares]

    def _ground_at(self, x: float, y: float) -> float | None:
        column, row = apply_affine(~self.from_pixels, x, y)
        height, width = self.shape
        pixel = Window(min(int(row), height - 1), min(int(column), width - 1), 1, 1)
        geometry = PixelGeometry.of(self.grid, pixel)
        if geometry is None:
            return None
        return float(f"{geometry.down_m if self.turn.quarters % 2 else geometry.across_m:.6g}")

    def placed(self, scene: GeoBox, rows: Points, columns: Points) -> tuple[Points, Points]:
        """Return display x and y of positions on a scene's grid, corners of pixels at 0; NaN where not defined."""
        y, x = PixelMapping(scene, self.grid).exact(rows - 0.5, columns - 0.5)
        known = (y > OUTSIDE / 2) & (x > OUTSIDE / 2)
        return apply_affine(self.from_pixels, np.where(known, x + 0.5, np.nan), np.where(known, y + 0.5, np.nan))

    def outline(self, scene: GeoBox) -> list[list[float]]:
        """Return the outline of a scene as display x and y."""
        height, width = scene.shape
        along, still = np.linspace(0, 1, SIDE_POINTS, endpoint=False), np.zeros(SIDE_POINTS)
        rows = np.concatenate([still, along, still + 1, 1 - along]) * height
        columns = np.concatenate([along, still + 1, 1 - along, still]) * width
        x, y = self.placed(scene, rows, columns)
        return [[round(float(a), 1), round(float(b), 1)] for a, b in zip(x, y, strict=True) if np.isfinite(a + b)]


def _affine(place: Callable[[float, float], tuple[Any, Any]]) -> Affine:
    """Return a linear function as a transform. The product of two is written differently in versions of Affine."""
    (c, f), (right_x, right_y), (down_x, down_y) = place(0, 0), place(1, 0), place(0, 1)
    return Affine(*map(float, (right_x - c, down_x - c, c, right_y - f, down_y - f, f)))
