"""How much ground a class of a map covers, in pixels and in square metres."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import CRS, Transformer

from clairemap.classes import Legend
from clairemap.grid.tiles import tiles
from clairemap.grid.window import Window
from clairemap.raster.source import RasterSource

WINDOW_PX = 1024
TOLERATED_DISTORTION = 0.01
"""Areal distortion up to which a projection's plane counts as the ground (UTM: at most 0.2 %; Mercator: 43 % at
33 degrees of latitude)."""


@dataclass(frozen=True)
class Coverage:
    """Pixels (int64) and square metres (float64, None if unknown) of each class, and how they were measured."""

    px: NDArray[np.int64]
    m2: NDArray[np.float64] | None
    method: str


def map_coverage(path: Path, legend: Legend) -> Coverage:
    """Return what the classes of a land-cover map (legend codes, one band) cover.

    Reads windows of 1024 pixels squared: about 10 MB whatever the size of the map.
    """
    px = np.zeros(len(legend), np.int64)
    m2 = np.zeros(len(legend))
    with RasterSource(path) as source:
        ground = PixelArea.of(source.geobox)
        for window in (tile.window for tile in tiles(source.shape, WINDOW_PX)):
            rows = _codes_by_row(source.read(window, (1,)).values[0])[:, legend.codes]
            px += rows.sum(0)
            if ground.known:
                m2 += ground.of_rows(window) @ rows
    return Coverage(px, m2 if ground.known else None, ground.method)


def _codes_by_row(codes: NDArray[np.uint8]) -> NDArray[np.int64]:
    height = codes.shape[0]
    keys = codes + np.arange(height, dtype=np.uint32)[:, None] * 256
    return np.bincount(keys.ravel(), minlength=height * 256).reshape(height, 256)


@dataclass(frozen=True)
class PixelArea:
    """The ground area of a grid's pixels. `method` says how it is found, or why it can't be."""

    geobox: GeoBox
    crs: CRS | None
    method: str
    planar_m2: float | None = None

    @classmethod
    def of(cls, geobox: GeoBox) -> "PixelArea":
        """Return how the pixels of a grid are measured."""
        if geobox.crs is None:
            return cls(geobox, None, "no hectares: the map has no coordinate reference system")
        crs = CRS.from_wkt(geobox.crs.to_wkt())
        if crs.is_geographic:
            return cls(geobox, crs, "on the ellipsoid")
        if not crs.is_projected:
            return cls(geobox, None, f"no hectares: {crs.name} is neither projected nor geographic")
        height, width = (int(size) for size in geobox.shape)
        rows, columns = np.array([0.0, 0, height, height]), np.array([0.0, width, 0, width])
        planar = abs(geobox.transform.determinant) * crs.axis_info[0].unit_conversion_factor ** 2
        corners = _ellipsoidal_m2(geobox, crs, rows, columns)
        if np.abs(planar / corners - 1).max() <= TOLERATED_DISTORTION:
            return cls(geobox, crs, "in the plane of the map's projection", planar)
        return cls(geobox, crs, "on the ellipsoid, as the projection distorts areas by more than 1 %")

    @property
    def known(self) -> bool:
        """Whether pixels have an area in square metres."""
        return self.crs is not None

    def of_rows(self, window: Window) -> NDArray[np.float64]:
        """Return the area in square metres of a pixel of each row, (height,), taken in the window's middle column."""
        if self.crs is None:
            raise ValueError(self.method)
        if self.planar_m2 is not None:
            return np.full(window.height, self.planar_m2)
        rows = np.arange(window.height, dtype=np.float64) + window.y0 + 0.5
        return _ellipsoidal_m2(self.geobox, self.crs, rows, np.full(window.height, window.x0 + window.width / 2))


def _ellipsoidal_m2(
    geobox: GeoBox, crs: CRS, rows: NDArray[np.float64], columns: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the area of a pixel at some places of a grid, from where the grid's lines lie on the ellipsoid."""
    datum = crs.geodetic_crs or crs
    to_degrees = Transformer.from_crs(crs, datum, always_xy=True)
    step = 4.0  # pixels to each side: enough that rounding in the projection does not show

    a, b, c, d, e, f = geobox.transform[:6]

    def degrees(row_step: float, column_step: float) -> NDArray[np.float64]:
        x, y = columns + column_step, rows + row_step
        return np.array(to_degrees.transform(a * x + b * y + c, d * x + e * y + f))

    along_row = np.radians(degrees(0, step) - degrees(0, -step)) / (2 * step)
    along_column = np.radians(degrees(step, 0) - degrees(-step, 0)) / (2 * step)
    cross = along_row[0] * along_column[1] - along_row[1] * along_column[0]
    area: NDArray[np.float64] = np.abs(cross) * _surface_element(crs, np.radians(degrees(0, 0)[1]))
    return area


def _surface_element(crs: CRS, latitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return square metres per square radian: both radii of curvature times the cosine of the latitude."""
    ellipsoid = crs.ellipsoid
    if ellipsoid is None:
        raise ValueError(f"{crs.name} has no ellipsoid")
    minor = ellipsoid.semi_minor_metre
    flattened = 1 - (minor / ellipsoid.semi_major_metre) ** 2
    return np.asarray(minor**2 * np.cos(latitude) / (1 - flattened * np.sin(latitude) ** 2) ** 2, np.float64)


def total_coverage(coverages: Iterator[Coverage], classes: int) -> Coverage:
    """Return the sum over several maps; square metres are unknown if one map's are."""
    px = np.zeros(classes, np.int64)
    m2: NDArray[np.float64] | None = np.zeros(classes)
    methods: list[str] = []
    for coverage in coverages:
        px += coverage.px
        m2 = None if m2 is None or coverage.m2 is None else m2 + coverage.m2
        methods.append(coverage.method)
    return Coverage(px, m2, "; ".join(dict.fromkeys(methods)) or "no map")
