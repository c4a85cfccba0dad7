"""Coordinates of a grid's pixels in its CRS, and back."""

from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

Values = NDArray[np.float64]


def applied(transform: Affine, x: NDArray[Any] | float, y: NDArray[Any] | float) -> tuple[Values, Values]:
    """Return x and y carried over by an affine transform, in the shape that they have.

    A grid's transform takes columns and rows to its CRS (a pixel's centre is at .5), its inverse takes them back.
    """
    # Affine's own operators differ between its versions: `*` is deprecated in 3, `@` takes no points in 2.
    return (
        np.asarray(transform.a * x + transform.b * y + transform.c, np.float64),
        np.asarray(transform.d * x + transform.e * y + transform.f, np.float64),
    )
