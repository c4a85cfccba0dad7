"""Displacement models: where SAR content lies when it is put on the optical grid by its georeferencing alone."""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Coordinates = NDArray[np.float64]


class Displacement(Protocol):
    """A field of displacements in pixels of the optical grid."""

    def displacement(self, y: Coordinates, x: Coordinates) -> tuple[Coordinates, Coordinates]:
        """Return (dy, dx) at pixel centres (y, x): the SAR content for (y, x) lies at (y + dy, x + dx)."""
        ...


@dataclass(frozen=True)
class Translation:
    """The same displacement everywhere, in optical pixels, y downwards."""

    dy_px: float = 0.0
    dx_px: float = 0.0

    @property
    def length_px(self) -> float:
        """How far it moves."""
        return math.hypot(self.dy_px, self.dx_px)

    def displacement(self, y: Coordinates, x: Coordinates) -> tuple[Coordinates, Coordinates]:
        """Return (dy, dx) at pixel centres (y, x), of the same shape."""
        return np.full_like(y, self.dy_px), np.full_like(x, self.dx_px)


NO_DISPLACEMENT = Translation()
