"""How a grid lies on the ground: how long and wide its pixels are there, and where north is in a picture of it."""

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
"""Directions nearer to up than this count as up."""

VARIES_DEG = 3.0
"""Differences of up over a map from which on the middle's is said to be the middle's: more than within a UTM zone."""


@dataclass(frozen=True)
class Turn:
    """How a picture of a grid is turned so that north is as near to up as quarter turns bring it.

    `mirrored`: its rows are taken from the last to the first, as east and west are swapped else; then it is turned
    counter-clockwise by `quarters` of a full turn.
    """

    mirrored: bool = False
    quarters: int = 0

    def picture(self, values: NDArray[T]) -> NDArray[T]:
        """Return values (y, x, …) of the grid as the picture shows them."""
        return np.ascontiguousarray(np.rot90(values[::-1] if self.mirrored else values, self.quarters))

    def size(self, window: Size[float]) -> Size[float]:
        """Return the size of the picture of a window."""
        return Size(window.width, window.height) if self.quarters % 2 else window

    @property
    def text(self) -> str:
        """What was done, as words that follow "the picture is", or nothing."""
        turned = {0: "", 1: "turned to the left", 2: "turned upside down", 3: "turned to the right"}[self.quarters]
        return " and ".join(word for word in ("mirrored" if self.mirrored else "", turned) if word)


@dataclass(frozen=True)
class Lie:
    """How pixels lie on the ground around the middle of a window.

    `across_m` and `down_m` are the lengths of a step to the next column and to the next row, in metres on the
    ellipsoid. `up_deg` is the bearing of a step to the row before, clockwise from true north; None if unknown.
    `mirrored`: the next column lies to the left of it. `varies`: up is elsewhere at the window's corners.
    """

    across_m: float
    down_m: float
    up_deg: float | None = None
    mirrored: bool = False
    varies: bool = False

    @classmethod
    def of(cls, grid: GeoBox, window: Window | None = None) -> "Lie | None":
        """Return how a window of a grid, or all of it, lies on the ground; None without a CRS or off the Earth."""
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
        """Height of a pixel on the ground over its width."""
        return self.down_m / self.across_m

    @property
    def turn(self) -> Turn:
        """How pictures are to be turned."""
        if self.up_deg is None:
            return Turn()
        bearing = self.up_deg + 180 if self.mirrored else self.up_deg
        return Turn(self.mirrored, round(-bearing / 90) % 4)

    def north_deg(self, turn: Turn) -> float | None:
        """Return the direction of true north in a picture turned so, in degrees clockwise from up, -180 to 180."""
        if self.up_deg is None:
            return None
        bearing = self.up_deg + 180 * turn.mirrored
        north = bearing if self.mirrored != turn.mirrored else -bearing
        return float((north - 90 * turn.quarters + 180) % 360 - 180)


def pictured(lie: Lie | None, values: NDArray[T]) -> NDArray[T]:
    """Return values (y, x, …) of a grid as pictures show them: turned if it is known where north is."""
    return values if lie is None else lie.turn.picture(values)


def pictured_aspect(lie: Lie | None) -> float:
    """Return height over width, on the ground, of a pixel of a turned picture; 1 without a CRS."""
    if lie is None:
        return 1.0
    size = lie.turn.size(Size(lie.aspect, 1.0))
    return size.height / size.width


def north_text(degrees: float | None) -> str:
    """Return where north is in words, of degrees clockwise from up; nothing if that isn't known."""
    if degrees is None:
        return ""
    if abs(degrees) < UP_DEG:
        return "north is up"
    if abs(degrees) > 180 - UP_DEG:
        return "north is down"
    angle = f"{abs(degrees):.1f}" if abs(degrees) < 10 else f"{abs(degrees):.0f}"
    return f"north is {angle}° to the {'right' if degrees > 0 else 'left'} of up"


def stretched_shape(shape: tuple[int, int], aspect: float, longest_px: int, slenderest: float) -> tuple[int, int]:
    """Return the size (height, width) of a picture of a window in which lengths are as on the ground.

    No pixel of the window is lost unless the picture were longer than `longest_px`. What is more slender than
    `slenderest` is drawn as if it were so slender.

    Args:
        shape: of the window, in its pixels.
        aspect: height of a pixel on the ground over its width.
        longest_px: of the picture's sides.
        slenderest: longer side of a picture over the shorter one, at most.
    """
    ratio = drawn_ratio(shape, aspect, slenderest)
    width = max(float(shape[1]), shape[0] / ratio)
    scale = min(1.0, longest_px / max(width, width * ratio))
    return max(1, round(width * ratio * scale)), max(1, round(width * scale))


def drawn_ratio(shape: tuple[int, int], aspect: float, slenderest: float) -> float:
    """Return height over width of a picture; see `stretched_shape`."""
    return float(np.clip(shape[0] * aspect / shape[1], 1 / slenderest, slenderest))
