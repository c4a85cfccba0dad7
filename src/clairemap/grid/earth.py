"""How a coordinate reference system lies on the Earth: what can be mapped in it, and where its coordinates begin again.

Longitudes return after a full circle, and so do the x of cylindrical projections such as Mercator: 190 and -170 degrees
are the same meridian. Code that compares coordinates brings them to one turn first (`in_turn`).
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
"""Longitudes at which a projection is tried for being cylindrical."""

LINEARITY_TOLERANCE = 1e-9
"""Share of a full turn by which x may depart from being linear in longitude, and from being equal at all latitudes."""


def crs_of(grid: GeoBox) -> CRS:
    """Return the CRS of a grid that is known to have one.

    Raises:
        GridError: the grid has none.
    """
    if grid.crs is None:
        height, width = grid.shape
        raise GridError(f"a grid of {height} x {width} px has no CRS; assign one to its file (gdal_edit.py -a_srs)")
    return grid.crs


def crs_fault(crs: CRS) -> str | None:
    """Return why nothing can be mapped in a CRS, as words that follow its name; None if it can."""
    proj = crs.proj
    if not (proj.is_geographic or proj.is_projected):
        return f"is neither projected nor geographic, but of the type {proj.type_name}"
    if proj.is_geographic and proj.is_derived:
        return "is derived from longitude and latitude (a rotated pole, say), which GeoTIFF can't hold"
    try:
        _transformer(proj.to_wkt(), WGS84)
    except pyproj.exceptions.ProjError as error:
        return f"can't be carried over to longitude and latitude on the Earth ({_in_short(error)})"
    return None


def transformer_between(source: CRS, target: CRS) -> pyproj.Transformer:
    """Return what carries x and y (longitude before latitude) from one CRS to another.

    Raises:
        GridError: no transformation between them is known.
    """
    try:
        return _transformer(source.proj.to_wkt(), target.proj.to_wkt())
    except pyproj.exceptions.ProjError as error:
        raise GridError(
            f"no transformation from {crs_name(source)} to {crs_name(target)} is known ({_in_short(error)}); "
            "give the files CRSs of the Earth (gdal_edit.py -a_srs)"
        ) from None


def pixel_to_crs(
    grid: GeoBox, crs: CRS | None, y: NDArray[Any] | float, x: NDArray[Any] | float
) -> tuple[Coordinates, Coordinates]:
    """Return the coordinates (x, y) in a CRS of positions in pixels of a grid; a pixel's centre is at .5.

    Not finite where the CRS is not defined. Grid and CRS are both of the Earth, or both None.

    Raises:
        GridError: just one of the two has a CRS, or no transformation between them is known.
    """
    world_x, world_y = pixel_to_world(grid, y, x)
    if grid.crs != crs:
        source, target = crs_of(grid), crs
        if target is None:
            raise GridError(f"positions in {crs_name(source)} have no coordinates without a CRS")
        world_x, world_y = transformer_between(source, target).transform(world_x, world_y)
    return np.asarray(world_x, np.float64), np.asarray(world_y, np.float64)


def crs_name(crs: CRS) -> str:
    """Return the EPSG code of a CRS, or the name that it gives itself."""
    return f"EPSG:{crs.epsg}" if crs.epsg else str(crs.proj.name)


def _in_short(error: Exception) -> str:
    """Return what PROJ complains of without its chain of functions and its hint at an environment variable."""
    text = str(error).split("proj_create_operations: ")[-1].split(". You may")[0]
    return text[:-1] if text.count(")") > text.count("(") else text


def without_height(crs: CRS) -> CRS:
    """Return a CRS without its height, which maps don't have: GeoTIFF can't hold it beside every CRS."""
    proj = crs.proj
    if len(proj.axis_info) < 3 or not (proj.is_geographic or proj.is_projected):
        return crs
    flat = (proj.sub_crs_list[0] if proj.is_compound else proj).to_2d()
    code = flat.to_epsg()
    return CRS(flat if code is None else f"EPSG:{code}")


def to_degrees(crs: CRS, x: Coordinates, y: Coordinates) -> tuple[Coordinates, Coordinates]:
    """Return longitudes and latitudes (WGS 84) of places in a CRS; not finite where it is not defined."""
    longitude, latitude = _transformer(crs.proj.to_wkt(), WGS84).transform(x, y)
    return np.asarray(longitude, np.float64), np.asarray(latitude, np.float64)


def from_degrees(crs: CRS, longitude: Coordinates, latitude: Coordinates) -> tuple[Coordinates, Coordinates]:
    """Return places in a CRS of longitudes and latitudes (WGS 84); not finite where it is not defined."""
    x, y = _transformer(WGS84, crs.proj.to_wkt()).transform(longitude, latitude)
    return np.asarray(x, np.float64), np.asarray(y, np.float64)


@lru_cache(maxsize=64)
def _transformer(source: str, target: str) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(source, target, always_xy=True)


def turn_of(crs: CRS | None) -> float | None:
    """Return by how much x grows along a full circle of longitude, in units of the CRS; None if x doesn't return."""
    return None if crs is None else _turn(crs.proj.to_wkt())


@lru_cache(maxsize=64)
def _turn(wkt: str) -> float | None:
    crs = pyproj.CRS.from_wkt(wkt)
    if crs.is_geographic:
        return float(2 * np.pi / crs.axis_info[0].unit_conversion_factor)
    return _cylindrical_turn(crs) if crs.is_projected else None


def _cylindrical_turn(crs: pyproj.CRS) -> float | None:
    """Return the turn of a projection whose x is linear in longitude and the same at all latitudes, else None."""
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
    turn = len(steps) * step
    begins_again = np.abs(steps - step) > LINEARITY_TOLERANCE * abs(turn)
    equal = np.abs(rows[0] - rows[1]).max() <= LINEARITY_TOLERANCE * abs(turn)
    linear = np.abs(steps[begins_again] - step + turn) <= LINEARITY_TOLERANCE * abs(turn)
    return abs(turn) if turn and equal and linear.all() and len(linear) <= 1 else None


def in_turn(x: Coordinates, middle: float, turn: float | None) -> Coordinates:
    """Return x moved by whole turns to at most half a turn from `middle`; as it is where x doesn't return."""
    return x if turn is None else x - turn * np.round((x - middle) / turn)


@dataclass(frozen=True)
class Globe:
    """The ellipsoid of a projected or geographic CRS, and where the CRS has its places on it."""

    crs: pyproj.CRS
    base: pyproj.CRS
    semi_major_m: float
    semi_minor_m: float

    @classmethod
    def of(cls, crs: pyproj.CRS) -> "Globe":
        """Return the globe of a CRS.

        Raises:
            GridError: the CRS has no ellipsoid.
        """
        base = crs.source_crs if crs.is_derived and crs.source_crs else crs.geodetic_crs
        if base is None or base.ellipsoid is None:
            raise GridError(
                f"the CRS {crs.name} has no ellipsoid; give the file the CRS that it has (gdal_edit.py -a_srs)"
            )
        return cls(crs, base, base.ellipsoid.semi_major_metre, base.ellipsoid.semi_minor_metre)

    def places(self, x: Coordinates, y: Coordinates) -> Coordinates:
        """Return places on the ellipsoid (…, 3) in metres from its middle; not finite where the CRS is not defined."""
        if self.crs != self.base:
            x, y = _transformer(self.crs.to_wkt(), self.base.to_wkt()).transform(x, y)
        unit = self.base.axis_info[0].unit_conversion_factor
        longitude, latitude = np.asarray(x) * unit, np.asarray(y) * unit
        normal = self.semi_major_m / np.sqrt(1 - self._flattened * np.sin(latitude) ** 2)
        return np.stack(
            [
                normal * np.cos(latitude) * np.cos(longitude),
                normal * np.cos(latitude) * np.sin(longitude),
                normal * (1 - self._flattened) * np.sin(latitude),
            ],
            axis=-1,
        )

    def zone_m2(self, latitude: Coordinates) -> Coordinates:
        """Return the area from the equator to latitudes (radians) for a radian of longitude; negative in the south."""
        sine, eccentricity = np.sin(latitude), np.sqrt(self._flattened)
        bent = sine if eccentricity == 0 else np.arctanh(eccentricity * sine) / eccentricity
        return np.asarray(self.semi_minor_m**2 / 2 * (sine / (1 - self._flattened * sine**2) + bent), np.float64)

    @property
    def _flattened(self) -> float:
        """Square of the eccentricity."""
        return 1 - (self.semi_minor_m / self.semi_major_m) ** 2
