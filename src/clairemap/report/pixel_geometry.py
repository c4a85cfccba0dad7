"""Ground size of a grid's pixels, and direction of north in pictures of the grid."""

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from clairemap.grid.points import Size
from clairemap.grid.scale import pixel_height_m, pixel_width_m, up_deg
from clairemap.grid.window import Window

T = TypeVar("T", bound=np.generic)

UP_DEG = 0.5
"""Directions within this angle of up count as up, degrees."""

VARIES_DEG = 3.0
"""Variation of north over a map, degrees, above which the page gives north for the centre only; a UTM zone has less."""


@dataclass(frozen=True)
class QuarterTurn:
    """Rotation of a picture by quarter turns that brings north closest to up.

    `mirrored`: the order of the rows is reversed first, because east and west are swapped in the grid. Then the picture
    is rotated counter-clockwise by `quarters` quarter turns.
    """

    mirrored: bool = False
    quarters: int = 0

    def picture(self, values: NDArray[T]) -> NDArray[T]:
        """Return values (y, x, …) of the grid, rotated."""
        return np.ascontiguousarray(np.rot90(values[::-1] if self.mirrored else values, self.quarters))

    def size(self, window: Size[float]) -> Size[float]:
        """Return the size of a window's picture."""
        return Size(window.width, window.height) if self.quarters % 2 else window

    @property
    def text(self) -> str:
        """The rotation as words that follow "the picture is"; empty without rotation."""
        rotated = {0: "", 1: "rotated left by 90°", 2: "rotated by 180°", 3: "rotated right by 90°"}[self.quarters]
        return " and ".join(word for word in ("mirrored" if self.mirrored else "", rotated) if word)


@dataclass(frozen=True)
class PixelGeometry:
    """Size and orientation of pixels on the ground at the centre of a window.

    `across_m` and `down_m` are the lengths of a step to the next column and to the next row, in metres on the
    ellipsoid. `up_deg` is the bearing of a step to the previous row, clockwise from true north; None if unknown.
    `mirrored`: seen in that direction, the next column is to the left. `varies`: the bearing differs at the corners.
    """

    across_m: float
    down_m: float
    up_deg: float | None = None
    mirrored: bool = False
    varies: bool = False

    @classmethod
    def of(cls, grid: GeoBox, window: Window | None = None) -> "PixelGeometry | None":
        """Return the geometry of a window of a grid, or of all of it; None without a CRS or off the Earth."""
        if grid.crs is None:
            return None
        part = grid if window is None else grid[window.slices]
        sides = pixel_width_m(part), pixel_height_m(part)
        if not all(math.isfinite(side) and side > 0 for side in sides):
            return None
        middle, *corners = up_deg(part)
        apart = np.abs((np.array(corners) - middle + 180) % 360 - 180)
        up = float(middle) % 360 if math.isfinite(middle) else None
        return cls(*sides, up, grid.transform.determinant > 0, not bool(np.all(apart < VARIES_DEG)))

    @property
    def aspect(self) -> float:
        """Height of a pixel over its width on the ground."""
        return self.down_m / self.across_m

    @property
    def turn(self) -> QuarterTurn:
        """Rotation for pictures."""
        if self.up_deg is None:
            return QuarterTurn()
        bearing = self.up_deg + 180 if self.mirrored else self.up_deg
        return QuarterTurn(self.mirrored, round(-bearing / 90) % 4)

    def north_deg(self, turn: QuarterTurn) -> float | None:
        """Return the direction of true north in a rotated picture, degrees clockwise from up; None if unknown."""
        if self.up_deg is None:
            return None
        bearing = self.up_deg + 180 * turn.mirrored
        north = bearing if self.mirrored != turn.mirrored else -bearing
        return float((north - 90 * turn.quarters + 180) % 360 - 180)


def oriented(geometry: PixelGeometry | None, values: NDArray[T]) -> NDArray[T]:
    """Return values (y, x, …) of a grid, rotated as in pictures; unchanged if north is unknown."""
    return values if geometry is None else geometry.turn.picture(values)


def oriented_aspect(geometry: PixelGeometry | None) -> float:
    """Return height over width on the ground of a pixel of a rotated picture; 1 without a CRS."""
    if geometry is None:
        return 1.0
    size = geometry.turn.size(Size(geometry.aspect, 1.0))
    return size.height / size.width


def north_text(degrees: float | None) -> str:
    """Return the direction of north, degrees clockwise from up, in words; empty if unknown."""
    if degrees is None:
        return ""
    if abs(degrees) < UP_DEG:
        return "north is up"
    if abs(degrees) > 180 - UP_DEG:
        return "north is down"
    angle = f"{abs(degrees):.1f}" if abs(degrees) < 10 else f"{abs(degrees):.0f}"
    return f"north is rotated {angle}° {'clockwise' if degrees > 0 else 'anticlockwise'}"


def picture_shape(shape: tuple[int, int], aspect: float, longest_px: int, max_aspect: float) -> tuple[int, int]:
    """Return the size (height, width) of a picture of a window with ground proportions.

    The window is downsampled only if its picture would exceed `longest_px`.

    Args:
        shape: of the window, in its pixels.
        aspect: height of a pixel over its width on the ground.
        longest_px: maximum side of the picture.
        max_aspect: maximum ratio of the picture's sides; narrower windows are widened.
    """
    ratio = picture_ratio(shape, aspect, max_aspect)
    width = max(float(shape[1]), shape[0] / ratio)
    scale = min(1.0, longest_px / max(width, width * ratio))
    return max(1, round(width * ratio * scale)), max(1, round(width * scale))


def picture_ratio(shape: tuple[int, int], aspect: float, max_aspect: float) -> float:
    """Return height over width of a picture; see `picture_shape`."""
    return float(np.clip(shape[0] * aspect / shape[1], 1 / max_aspect, max_aspect))
