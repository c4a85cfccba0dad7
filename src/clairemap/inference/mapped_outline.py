"""Outline of the mapped pixels of a region's scenes."""

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPoint
from shapely.geometry.base import BaseGeometry

from clairemap.classes import SHARE_NODATA
from clairemap.grid.outline import Outline, outline_of
from clairemap.grid.tiles import row_bands
from clairemap.inference.probabilities import OPTICAL_SHARE
from clairemap.raster.store import GridStore


def mapped_outline(stores: Sequence[GridStore]) -> Outline | None:
    """Return the outline of probability stores: the convex hulls of each scene's mapped pixels.

    None without mapped pixels, or if a store has no CRS. Reads one layer of each store, by bands of rows.

    Raises:
        StoreError: a store is damaged.
    """
    if any(store.geobox.crs is None for store in stores):
        return None
    hulls = [(store.geobox, hull) for store in stores if (hull := mapped_hull(store)) is not None]
    return outline_of(hulls) if hulls else None


def mapped_hull(store: GridStore) -> BaseGeometry | None:
    """Return the convex hull of the mapped pixels' corners, in pixels (x, y) of the store; None without any."""
    hull: BaseGeometry | None = None
    for band in row_bands(store.shape, store.tile_px):
        corners = _corners(store.read(OPTICAL_SHARE, band) != SHARE_NODATA, band.y0)
        if len(corners):
            own = MultiPoint(corners).convex_hull
            hull = own if hull is None else shapely.union(hull, own).convex_hull
    return hull


def _corners(mapped: NDArray[np.bool_], y0: int) -> NDArray[np.float64]:
    """Return the outer corners (point, 2), x and y, of each row's first and last mapped pixel."""
    rows = np.flatnonzero(mapped.any(axis=1))
    occupied = mapped[rows]
    first, last = occupied.argmax(axis=1), mapped.shape[1] - occupied[:, ::-1].argmax(axis=1)
    x = np.concatenate([first, first, last, last])
    y = np.concatenate([rows, rows + 1, rows, rows + 1]) + y0
    return np.stack([x, y], axis=1).astype(np.float64)
