"""Synthetic optical and SAR rasters with a known displacement, on any grid."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scipy.spatial import cKDTree

from clairemap.registration.model import Displacement

UTM = GeoBox((320, 320), Affine(10, 0, 500_000, 0, -10, 5_300_000), "EPSG:32633")
PIXELS = GeoBox((320, 320), Affine.identity(), None)
CLASSES = 3

Shift = tuple[float, float] | Displacement
"""Displacement of SAR in optical pixels: (dy, dx) everywhere, or a field."""


def write_raster(
    path: Path, values: NDArray[Any], grid: GeoBox | None = None, nodata: float | None = None, **creation: object
) -> Path:
    """Write bands (band, y, x), or one band (y, x), as a GeoTIFF; without a grid it is not georeferenced."""
    bands = values if values.ndim == 3 else values[None]
    place = {} if grid is None else {"transform": grid.transform, "crs": grid.crs and grid.crs.to_wkt()}
    with rasterio.open(
        path, "w", driver="GTiff", width=bands.shape[2], height=bands.shape[1], count=len(bands), dtype=bands.dtype,
        nodata=nodata, **place, **creation,
    ) as file:  # fmt: skip
        file.write(bands)
    return path


@dataclass(frozen=True)
class Fields:
    """Ground of polygonal fields on an optical grid; values of the two sensors are independent."""

    grid: GeoBox
    seed: int = 0

    def ids(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the index of the field at optical pixel coordinates."""
        height, width = self.grid.shape
        count = height * width // 250
        centres = np.random.default_rng(self.seed).uniform(-40, (height + 40, width + 40), (count, 2))
        return np.asarray(cKDTree(centres).query(np.stack([y, x], -1))[1])

    def label(self) -> NDArray[np.uint8]:
        """Return class codes 1, 2, 3 (y, x) on the optical grid."""
        return (self.ids(*_pixels(self.grid)) % CLASSES + 1).astype(np.uint8)

    def optical(self, bands: int = 2) -> NDArray[np.uint16]:
        """Return the optical image (band, y, x) with noise; never 0."""
        rng = np.random.default_rng(self.seed + 1)
        level = rng.uniform(500, 3000, (bands, 100_000))
        ids = self.ids(*_pixels(self.grid))
        return (level[:, ids] + rng.normal(0, 40, (bands, *ids.shape))).astype(np.uint16)

    def sar_db(self, grid: GeoBox, shift: Shift = (0.0, 0.0)) -> NDArray[np.float64]:
        """Return backscatter in dB (y, x) without speckle on any grid, displaced by optical pixels."""
        level = np.random.default_rng(self.seed + 2).uniform(-20, -4, 100_000)
        y, x = self._optical_pixels(grid)
        return level[self.ids(*undisplaced(shift, y, x))]

    def sar(self, grid: GeoBox, shift: Shift = (0.0, 0.0), bands: int = 1, looks: float = 4) -> NDArray[np.float32]:
        """Return linear power (band, y, x) with speckle."""
        power = 10 ** (self.sar_db(grid, shift) / 10)
        speckle = np.random.default_rng(self.seed + 3).gamma(looks, 1 / looks, (bands, *power.shape))
        return (power * speckle).astype(np.float32)

    def _optical_pixels(self, grid: GeoBox) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        y, x = _pixels(grid)
        if grid.crs is None:
            return y, x
        world = _transformed(grid.transform, x + 0.5, y + 0.5)
        transformer = pyproj.Transformer.from_crs(grid.crs.to_wkt(), self.grid.crs.to_wkt(), always_xy=True)
        column, row = _transformed(~self.grid.transform, *transformer.transform(*world))
        return row - 0.5, column - 0.5


def undisplaced(
    shift: Shift, y: NDArray[np.float64], x: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the optical pixels (y, x) whose content is displaced to (y, x); Newton's method."""
    if not isinstance(shift, Displacement):
        return y - shift[0], x - shift[1]
    from_y, from_x, step = y, x, 0.5
    for _ in range(6):
        at = np.stack(shift.at(from_y, from_x))
        down, across = np.stack(shift.at(from_y + step, from_x)) - at, np.stack(shift.at(from_y, from_x + step)) - at
        (a, c), (b, d) = down / step + [[[1]], [[0]]], across / step + [[[0]], [[1]]]
        miss_y, miss_x = from_y + at[0] - y, from_x + at[1] - x
        determinant = a * d - b * c
        from_y = from_y - (d * miss_y - b * miss_x) / determinant
        from_x = from_x - (a * miss_x - c * miss_y) / determinant
    return from_y, from_x


def similarity(
    rotation_deg: float, scale: float, grid: GeoBox, shift: tuple[float, float] = (0.0, 0.0)
) -> Displacement:
    """Return the displacement that rotates and scales a grid about its centre, then shifts it."""
    angle = math.radians(rotation_deg)
    along, across = scale * math.cos(angle) - 1, scale * math.sin(angle)
    middle = ((grid.shape[0] - 1) / 2, (grid.shape[1] - 1) / 2)
    return Displacement("similarity", (shift[0], -across, along), (shift[1], along, across), middle)


def _pixels(grid: GeoBox) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y, x = np.mgrid[: grid.shape[0], : grid.shape[1]].astype(np.float64)
    return y, x


def _transformed(transform: Affine, x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    return transform.a * x + transform.b * y + transform.c, transform.d * x + transform.e * y + transform.f


def covering(grid: GeoBox, crs: str, resolution: float, margin: int = 4) -> GeoBox:
    """Return a grid in another CRS that covers a grid, with a margin in its own pixels."""
    height, width = grid.shape
    transformer = pyproj.Transformer.from_crs(grid.crs.to_wkt(), crs, always_xy=True)
    corners = _transformed(grid.transform, np.array([0, width, 0, width]), np.array([0, 0, height, height]))
    x, y = transformer.transform(*corners)
    left, top = x.min() - margin * resolution, y.max() + margin * resolution
    shape = (int((top - y.min()) / resolution) + margin, int((x.max() - left) / resolution) + margin)
    return GeoBox(shape, Affine(resolution, 0, left, 0, -resolution, top), crs)
