"""Area of each class of a map, in pixels and square metres."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import CRS

from clairemap.classes import Legend
from clairemap.grid.earth import Ellipsoid, x_period
from clairemap.grid.scale import pixel_sides
from clairemap.grid.tiles import tiles
from clairemap.grid.window import Window
from clairemap.raster.histogram import histogram_by_row
from clairemap.raster.source import RasterSource

COUNTED_WINDOW_PX = 1024
MAX_AREAL_DISTORTION = 0.01
"""Largest areal distortion at which areas are computed in the projection (UTM: at most 0.2 %; Mercator: 43 % at
33 degrees of latitude)."""

PROBES_PER_SIDE = 5
"""Points along each side of a grid at which the distortion of its projection is measured."""

EQUAL_AREA_PX = 64
"""Width of windows whose rows have pixels of equal area, if the areal distortion varies along rows."""

SMALL_STEP_PX = 4.0
LARGE_STEP_PX = 0.5
LARGE_PX_M2 = 500.0**2
"""Pixel sides are measured over 4 pixels to each side, to keep rounding errors small; over half a pixel to each side if
pixels are larger than this, because of the Earth's curvature."""


@dataclass(frozen=True)
class ClassAreas:
    """Pixels and square metres (None if unknown) of each class in a map, (class,), and how the area was computed."""

    px: NDArray[np.int64]
    m2: NDArray[np.float64] | None
    method: str


def map_class_areas(path: Path, legend: Legend) -> ClassAreas:
    """Return pixels and area of each class of a land-cover map (legend codes, one band).

    Reads windows of 1024 x 1024 px that have data: about 10 MB of memory for maps of any size.
    """
    px = np.zeros(len(legend), np.int64)
    m2 = np.zeros(len(legend))
    with RasterSource(path) as source:
        pixel_area = PixelArea.of(source.geobox)
        for window in (tile.window for tile in tiles(source.shape, COUNTED_WINDOW_PX) if source.is_stored(tile.window)):
            values = source.read(window, (1,)).values[0]
            for part in pixel_area.uniform_windows(window):
                rows = histogram_by_row(values[part.relative_to(window).slices])[:, legend.codes]
                px += rows.sum(0)
                if pixel_area.known:
                    m2 += pixel_area.of_rows(part) @ rows
    return ClassAreas(px, m2 if pixel_area.known else None, pixel_area.method)


@dataclass(frozen=True)
class PixelArea:
    """Ground area of a grid's pixels. `method` says how it is computed, or why it is unknown."""

    geobox: GeoBox
    crs: CRS | None
    method: str
    planar_m2: float | None = None

    @classmethod
    def of(cls, geobox: GeoBox) -> "PixelArea":
        """Return the pixel area of a grid."""
        if geobox.crs is None:
            return cls(geobox, None, "unknown: the map has no coordinate reference system")
        crs = CRS.from_wkt(geobox.crs.to_wkt())
        if crs.is_geographic:
            return cls(geobox, crs, "computed on the ellipsoid")
        if not crs.is_projected:
            return cls(geobox, None, f"unknown: {crs.name} is neither projected nor geographic")
        height, width = (int(size) for size in geobox.shape)
        rows, columns = np.meshgrid(np.linspace(0, height, PROBES_PER_SIDE), np.linspace(0, width, PROBES_PER_SIDE))
        planar = abs(geobox.transform.determinant) * crs.axis_info[0].unit_conversion_factor ** 2
        true_m2 = _ellipsoidal_m2(geobox, rows, columns)
        true_m2 = true_m2[true_m2 > 0]
        if true_m2.size and np.abs(planar / true_m2 - 1).max() <= MAX_AREAL_DISTORTION:
            return cls(geobox, crs, "computed in the map projection", planar)
        return cls(geobox, crs, "computed on the ellipsoid (the map projection distorts areas by more than 1 %)")

    @property
    def known(self) -> bool:
        """Whether pixels have an area in square metres."""
        return self.crs is not None

    def uniform_windows(self, window: Window) -> Iterator[Window]:
        """Yield the parts of a window, side by side, in which the pixels of each row have the same area."""
        matrix = self.geobox.transform
        by_row = x_period(self.geobox.crs) is not None and not (matrix.b or matrix.d)
        width = window.width if not self.known or self.planar_m2 is not None or by_row else EQUAL_AREA_PX
        for x0 in range(window.x0, window.x1, width):
            yield replace(window, x0=x0, width=min(width, window.x1 - x0))

    def of_rows(self, window: Window) -> NDArray[np.float64]:
        """Return the pixel area of each row in square metres, (height,), at the window's middle column.

        Areas beyond a pole or outside the projection are 0.

        Raises:
            ValueError: the area is unknown.
        """
        if self.crs is None:
            raise ValueError(self.method)
        if self.planar_m2 is not None:
            return np.full(window.height, self.planar_m2)
        rows = np.arange(window.height, dtype=np.float64) + window.y0
        if self.crs.is_geographic and not (self.crs.is_derived or self.geobox.transform.b or self.geobox.transform.d):
            return _zonal_m2(self.geobox, self.crs, rows)
        return _ellipsoidal_m2(self.geobox, rows + 0.5, np.full(window.height, window.x0 + window.width / 2))


def _zonal_m2(geobox: GeoBox, crs: CRS, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the area of pixels bounded by meridians and parallels, for each row."""
    unit = crs.axis_info[0].unit_conversion_factor
    edges = [
        np.clip((geobox.transform.e * row + geobox.transform.f) * unit, -np.pi / 2, np.pi / 2)
        for row in (rows, rows + 1)
    ]
    upper, lower = (Ellipsoid.of(crs).zone_area_m2(edge) for edge in edges)
    return np.asarray(np.abs(upper - lower) * abs(geobox.transform.a) * unit, np.float64)


def _ellipsoidal_m2(geobox: GeoBox, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the pixel area at positions of a grid, from the pixel's sides in space; 0 outside the projection."""

    def area(step_px: float) -> NDArray[np.float64]:
        m2 = np.linalg.norm(np.cross(*pixel_sides(geobox, columns, rows, step_px)), axis=-1)
        return np.where(np.isfinite(m2), m2, 0)

    coarse = area(LARGE_STEP_PX)
    return np.where(coarse > LARGE_PX_M2, coarse, area(SMALL_STEP_PX))


def total_class_areas(maps: Iterator[ClassAreas], classes: int) -> ClassAreas:
    """Return the sum over maps; square metres are None if those of any map are."""
    px = np.zeros(classes, np.int64)
    m2: NDArray[np.float64] | None = np.zeros(classes)
    methods: list[str] = []
    for areas in maps:
        px += areas.px
        m2 = None if m2 is None or areas.m2 is None else m2 + areas.m2
        methods.append(areas.method)
    return ClassAreas(px, m2, "; ".join(dict.fromkeys(methods)) or "unknown: no map")
