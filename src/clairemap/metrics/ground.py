"""How much ground a class of a map covers, in pixels and in square metres."""

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
"""Areal distortion up to which a projection's plane counts as the ground (UTM: at most 0.2 %; Mercator: 43 % at
33 degrees of latitude)."""

PROBES_PER_SIDE = 5
"""Points along each side of a grid at which its projection is compared with the ground."""

EQUAL_AREA_PX = 64
"""Pixels of a row that count as equally large where a projection's areas vary along rows."""

SMALL_STEP_PX = 4.0
LARGE_STEP_PX = 0.5
LARGE_PX_M2 = 500.0**2
"""Ground that a pixel spans is found from places 4 pixels to each side, so far apart that rounding does not show; half
a pixel to each side where pixels are larger than this and the Earth bends in between."""


@dataclass(frozen=True)
class Coverage:
    """Pixels (int64) and square metres (float64, None if unknown) of each class, and how they were measured."""

    px: NDArray[np.int64]
    m2: NDArray[np.float64] | None
    method: str


def map_coverage(path: Path, legend: Legend) -> Coverage:
    """Return what the classes of a land-cover map (legend codes, one band) cover.

    Reads windows of 1024 pixels squared where the file holds any data: about 10 MB whatever the size of the map.
    """
    px = np.zeros(len(legend), np.int64)
    m2 = np.zeros(len(legend))
    with RasterSource(path) as source:
        ground = PixelArea.of(source.geobox)
        for window in (tile.window for tile in tiles(source.shape, COUNTED_WINDOW_PX) if source.is_stored(tile.window)):
            values = source.read(window, (1,)).values[0]
            for strip in ground.strips(window):
                rows = histogram_by_row(values[strip.relative_to(window).slices])[:, legend.codes]
                px += rows.sum(0)
                if ground.known:
                    m2 += ground.of_rows(strip) @ rows
    return Coverage(px, m2 if ground.known else None, ground.method)


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
        rows, columns = np.meshgrid(np.linspace(0, height, PROBES_PER_SIDE), np.linspace(0, width, PROBES_PER_SIDE))
        planar = abs(geobox.transform.determinant) * crs.axis_info[0].unit_conversion_factor ** 2
        seen = _ellipsoidal_m2(geobox, rows, columns)
        seen = seen[seen > 0]
        if seen.size and np.abs(planar / seen - 1).max() <= MAX_AREAL_DISTORTION:
            return cls(geobox, crs, "in the plane of the map's projection", planar)
        return cls(geobox, crs, "on the ellipsoid, as the projection distorts areas by more than 1 %")

    @property
    def known(self) -> bool:
        """Whether pixels have an area in square metres."""
        return self.crs is not None

    def strips(self, window: Window) -> Iterator[Window]:
        """Yield a window in parts, side by side, in which the pixels of a row count as equally large."""
        matrix = self.geobox.transform
        by_row = x_period(self.geobox.crs) is not None and not (matrix.b or matrix.d)
        width = window.width if not self.known or self.planar_m2 is not None or by_row else EQUAL_AREA_PX
        for x0 in range(window.x0, window.x1, width):
            yield replace(window, x0=x0, width=min(width, window.x1 - x0))

    def of_rows(self, window: Window) -> NDArray[np.float64]:
        """Return the area in square metres of a pixel of each row, (height,), taken in the window's middle column.

        What of a pixel lies beyond a pole, or off the Earth in its projection, has no area.
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
    """Return the area of pixels between meridians and parallels, by the row in which they begin."""
    unit = crs.axis_info[0].unit_conversion_factor
    edges = [
        np.clip((geobox.transform.e * row + geobox.transform.f) * unit, -np.pi / 2, np.pi / 2)
        for row in (rows, rows + 1)
    ]
    upper, lower = (Ellipsoid.of(crs).zone_area_m2(edge) for edge in edges)
    return np.asarray(np.abs(upper - lower) * abs(geobox.transform.a) * unit, np.float64)


def _ellipsoidal_m2(geobox: GeoBox, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the area of a pixel at some places of a grid, from its sides in space; 0 off the Earth."""

    def area(step_px: float) -> NDArray[np.float64]:
        found = np.linalg.norm(np.cross(*pixel_sides(geobox, columns, rows, step_px)), axis=-1)
        return np.where(np.isfinite(found), found, 0)

    coarse = area(LARGE_STEP_PX)
    return np.where(coarse > LARGE_PX_M2, coarse, area(SMALL_STEP_PX))


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
