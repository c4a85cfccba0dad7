"""Coordinate reference systems on the Earth: checks, transformations, periodic x, ellipsoids.

x is periodic in degrees and in cylindrical projections: 190 and -170 degrees are the same meridian. Wrap coordinates
with `wrapped_x` before comparing them.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyproj
from numpy.typing import NDArray
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

from clairemap.errors import GridError
from clairemap.grid.coordinates import Coordinates, pixel_to_world

WGS84 = "EPSG:4326"

PROBED_DEG = np.arange(-180.0, 181.0, 30)
"""Longitudes at which a projection is tested for being cylindrical."""

LINEARITY_TOLERANCE = 1e-9
"""Maximum deviation of x, as a share of its period, from being linear in longitude and independent of latitude."""


def crs_of(grid: GeoBox) -> CRS:
    """Return the CRS of a grid.

    Raises:
        GridError: the grid has no CRS.
    """
    if grid.crs is None:
        height, width = grid.shape
        raise GridError(f"a grid of {height} x {width} px has no CRS; assign one to its file (gdal_edit.py -a_srs)")
    return grid.crs


def crs_problem(crs: CRS) -> str | None:
    """Return why a CRS is not supported, as a phrase to follow its name, else None."""
    proj = crs.proj
    if not (proj.is_geographic or proj.is_projected):
        return f"is neither projected nor geographic but of type {proj.type_name}"
    if proj.is_geographic and proj.is_derived:
        return "is derived from longitude and latitude (for example a rotated pole), which GeoTIFF cannot store"
    try:
        _transformer(proj.to_wkt(), WGS84)
    except pyproj.exceptions.ProjError as error:
        return f"cannot be transformed to longitude and latitude on the Earth ({_shortened(error)})"
    return None


def transformer_between(source: CRS, target: CRS) -> pyproj.Transformer:
    """Return the transformer of (x, y), longitude before latitude, from one CRS to another.

    Raises:
        GridError: no transformation between them is known.
    """
    try:
        return _transformer(source.proj.to_wkt(), target.proj.to_wkt())
    except pyproj.exceptions.ProjError as error:
        raise GridError(
            f"no transformation from {crs_name(source)} to {crs_name(target)} is known ({_shortened(error)}); "
            "assign terrestrial CRSs to the files (gdal_edit.py -a_srs)"
        ) from None


def pixel_to_crs(
    grid: GeoBox, crs: CRS | None, y: NDArray[Any] | float, x: NDArray[Any] | float
) -> tuple[Coordinates, Coordinates]:
    """Return the coordinates (x, y) in `crs` of pixel positions on a grid; pixel centres are at .5.

    Not finite where the CRS is not defined. `crs` must be None if the grid has no CRS.

    Raises:
        GridError: only one of grid and `crs` has a CRS, or no transformation between them is known.
    """
    world_x, world_y = pixel_to_world(grid, y, x)
    if grid.crs != crs:
        source, target = crs_of(grid), crs
        if target is None:
            raise GridError(f"positions in {crs_name(source)} cannot be transformed to a grid without a CRS")
        world_x, world_y = transformer_between(source, target).transform(world_x, world_y)
    return np.asarray(world_x, np.float64), np.asarray(world_y, np.float64)


def crs_name(crs: CRS) -> str:
    """Return the EPSG code of a CRS, or its name if it has no code."""
    return f"EPSG:{crs.epsg}" if crs.epsg else str(crs.proj.name)


def _shortened(error: Exception) -> str:
    """Return PROJ's message without function names and its hint about an environment variable."""
    text = str(error).split("proj_create_operations: ")[-1].split(". You may")[0]
    return text[:-1] if text.count(")") > text.count("(") else text


def without_height(crs: CRS) -> CRS:
    """Return a CRS without its vertical axis, which GeoTIFF cannot always store."""
    proj = crs.proj
    if len(proj.axis_info) < 3 or not (proj.is_geographic or proj.is_projected):
        return crs
    flat = (proj.sub_crs_list[0] if proj.is_compound else proj).to_2d()
    code = flat.to_epsg()
    return CRS(flat if code is None else f"EPSG:{code}")


def to_degrees(crs: CRS, x: Coordinates, y: Coordinates) -> tuple[Coordinates, Coordinates]:
    """Return WGS 84 longitudes and latitudes of coordinates in a CRS; not finite where it is not defined."""
    longitude, latitude = _transformer(crs.proj.to_wkt(), WGS84).transform(x, y)
    return np.asarray(longitude, np.float64), np.asarray(latitude, np.float64)


def from_degrees(crs: CRS, longitude: Coordinates, latitude: Coordinates) -> tuple[Coordinates, Coordinates]:
    """Return coordinates (x, y) in a CRS of WGS 84 longitudes and latitudes; not finite where it is not defined."""
    x, y = _transformer(WGS84, crs.proj.to_wkt()).transform(longitude, latitude)
    return np.asarray(x, np.float64), np.asarray(y, np.float64)


@lru_cache(maxsize=64)
def _transformer(source: str, target: str) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(source, target, always_xy=True)


def x_period(crs: CRS | None) -> float | None:
    """Return the change of x over 360 degrees of longitude, in units of the CRS; None if x is not periodic."""
    return None if crs is None else _period(crs.proj.to_wkt())


@lru_cache(maxsize=64)
def _period(wkt: str) -> float | None:
    crs = pyproj.CRS.from_wkt(wkt)
    if crs.is_geographic:
        return float(2 * np.pi / crs.axis_info[0].unit_conversion_factor)
    return _cylindrical_period(crs) if crs.is_projected else None


def _cylindrical_period(crs: pyproj.CRS) -> float | None:
    """Return the period of a cylindrical projection, else None."""
    base = crs.geodetic_crs
    if base is None:
        return None
    unit = base.axis_info[0].unit_conversion_factor
    project = _transformer(base.to_wkt(), crs.to_wkt())
    longitudes, latitudes = np.radians(np.meshgrid(PROBED_DEG, [0.0, 40.0])) / unit
    rows = np.asarray(project.transform(longitudes, latitudes)[0])
    if not np.isfinite(rows).all():
        return None
    steps = np.diff(rows[0])
    step = float(np.median(steps))
    period = len(steps) * step
    wraps = np.abs(steps - step) > LINEARITY_TOLERANCE * abs(period)
    equal = np.abs(rows[0] - rows[1]).max() <= LINEARITY_TOLERANCE * abs(period)
    linear = np.abs(steps[wraps] - step + period) <= LINEARITY_TOLERANCE * abs(period)
    return abs(period) if period and equal and linear.all() and len(linear) <= 1 else None


def wrapped_x(x: Coordinates, middle: float, period: float | None) -> Coordinates:
    """Return x shifted by whole periods to within half a period of `middle`; unchanged if `period` is None."""
    return x if period is None else x - period * np.round((x - middle) / period)


@dataclass(frozen=True)
class Ellipsoid:
    """The ellipsoid of a projected or geographic CRS."""

    crs: pyproj.CRS
    base: pyproj.CRS
    semi_major_m: float
    semi_minor_m: float

    @classmethod
    def of(cls, crs: pyproj.CRS) -> "Ellipsoid":
        """Return the ellipsoid of a CRS.

        Raises:
            GridError: the CRS has no ellipsoid.
        """
        base = crs.source_crs if crs.is_derived and crs.source_crs else crs.geodetic_crs
        if base is None or base.ellipsoid is None:
            raise GridError(f"the CRS {crs.name} has no ellipsoid; assign the file's CRS (gdal_edit.py -a_srs)")
        return cls(crs, base, base.ellipsoid.semi_major_metre, base.ellipsoid.semi_minor_metre)

    def cartesian_m(self, x: Coordinates, y: Coordinates) -> Coordinates:
        """Return Cartesian coordinates (..., 3) in metres from the ellipsoid's centre; NaN where undefined."""
        if self.crs != self.base:
            x, y = _transformer(self.crs.to_wkt(), self.base.to_wkt()).transform(x, y)
        unit = self.base.axis_info[0].unit_conversion_factor
        longitude, latitude = (np.where(np.isfinite(each), each, np.nan) * unit for each in (x, y))  # PROJ gives inf
        normal = self.semi_major_m / np.sqrt(1 - self._squared_eccentricity * np.sin(latitude) ** 2)
        return np.stack(
            [
                normal * np.cos(latitude) * np.cos(longitude),
                normal * np.cos(latitude) * np.sin(longitude),
                normal * (1 - self._squared_eccentricity) * np.sin(latitude),
            ],
            axis=-1,
        )

    def zone_area_m2(self, latitude: Coordinates) -> Coordinates:
        """Return the area between equator and latitudes (radians) per radian of longitude; negative in the south."""
        squared = self._squared_eccentricity
        sine, eccentricity = np.sin(latitude), np.sqrt(squared)
        second = sine if eccentricity == 0 else np.arctanh(eccentricity * sine) / eccentricity
        return np.asarray(self.semi_minor_m**2 / 2 * (sine / (1 - squared * sine**2) + second), np.float64)

    @property
    def _squared_eccentricity(self) -> float:
        return 1 - (self.semi_minor_m / self.semi_major_m) ** 2
