"""The grid of an open raster, with checks of its CRS and geotransform."""

from pathlib import Path

import numpy as np
import pyproj
from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from rasterio.errors import CRSError
from rasterio.io import DatasetReader

from clairemap.errors import GridError
from clairemap.grid.coordinates import PROBES_ALONG_SIDE, apply_affine
from clairemap.grid.earth import crs_name, crs_problem, to_degrees, without_height, x_period

LONGITUDES_DEG = (-360.0, 540.0)
"""Range of longitudes, for grids that start at -180, at 0 or cross 360; other values are not longitudes."""

MAX_PERIODS = 1.1
"""Maximum width of a grid in circles of longitude; a global grid may repeat some columns."""

MIN_PX_M = 1e-3
"""Minimum pixel side; smaller pixels indicate degrees labelled as metres."""

MAX_DISTANCE_M = 1e8
"""Maximum distance from a projection's origin; eastings with a zone prefix reach 6e7."""

CRS_REMEDY = (
    "assign the correct CRS (gdal_edit.py -a_srs EPSG:...), or remove it from all files of the scene "
    "(gdal_edit.py -a_srs None -unsetgt) to match them pixel by pixel"
)


def geobox_of(dataset: DatasetReader, path: Path) -> GeoBox:
    """Return the grid of a raster; plain pixels if it has no georeferencing.

    Raises:
        GridError: the CRS cannot be read or is not of the Earth, the geotransform is missing or does not fit the CRS,
            or the file is georeferenced by control points, RPC or geolocation arrays only.
    """
    shape, transform = (int(dataset.height), int(dataset.width)), dataset.transform
    crs = _crs(dataset, path)
    if crs is None or transform == Affine.identity():
        _check_plain(dataset, path)
    if transform.determinant == 0:
        raise GridError(
            f"{path}: geotransform {tuple(transform)[:6]} has zero pixel area; correct it (gdal_edit.py -a_ullr)"
        )
    geobox = GeoBox(shape, transform, crs)
    if crs is not None:
        _check_crs(crs, geobox, path)
        _check_coordinates(crs, geobox, path)
    return geobox


def _crs(dataset: DatasetReader, path: Path) -> CRS | None:
    try:
        return without_height(CRS(dataset.crs)) if dataset.crs else None
    except (CRSError, pyproj.exceptions.CRSError) as error:
        raise GridError(f"{path}: CRS cannot be read ({error}); {CRS_REMEDY}") from None


def _check_plain(dataset: DatasetReader, path: Path) -> None:
    """Reject files that are not on a regular grid, since they cannot be matched pixel by pixel."""
    for found, what in (
        (dataset.gcps[0], f"{len(dataset.gcps[0])} ground control points"),
        (dataset.rpcs, "rational polynomial coefficients (RPC)"),
        (dataset.tags(ns="GEOLOCATION"), "per-pixel coordinates (geolocation arrays)"),
    ):
        if found:
            raise GridError(f"{path}: georeferenced only by {what}; terrain-correct it first (gdalwarp or SNAP)")


def _check_crs(crs: CRS, geobox: GeoBox, path: Path) -> None:
    fault = crs_problem(crs)
    if fault is not None:
        derived = crs.proj.is_derived and crs.proj.is_geographic
        remedy = "reproject the file first (gdalwarp -t_srs EPSG:4326)" if derived else CRS_REMEDY
        raise GridError(f"{path}: CRS {crs_name(crs)} {fault}; {remedy}")
    if geobox.transform == Affine.identity():
        raise GridError(
            f"{path}: has CRS {crs_name(crs)} but no geotransform; "
            "assign one (gdal_edit.py -a_ullr) or remove the CRS (gdal_edit.py -a_srs None)"
        )


def _check_coordinates(crs: CRS, geobox: GeoBox, path: Path) -> None:
    """Reject coordinates that are impossible in the CRS, because PROJ accepts 500000 degrees as a longitude."""
    fault = _impossible_coordinate(crs, geobox)
    if fault is not None:
        height, width = geobox.shape
        (left, right), (top, bottom) = apply_affine(geobox.transform, np.array([0, width]), np.array([0, height]))
        raise GridError(
            f"{path}: coordinates from ({left:.10g}, {top:.10g}) to ({right:.10g}, {bottom:.10g}) do not fit "
            f"CRS {crs_name(crs)}: {fault}; assign the correct CRS (gdal_edit.py -a_srs) "
            "or correct the coordinates (gdal_edit.py -a_ullr)"
        )


def _impossible_coordinate(crs: CRS, geobox: GeoBox) -> str | None:
    """Return a description of a grid coordinate that is impossible in the CRS; None if all are possible."""
    matrix, (height, width) = geobox.transform, (int(size) for size in geobox.shape)
    columns, rows = (np.linspace(0.5, size - 0.5, PROBES_ALONG_SIDE) for size in (width, height))
    column, row = np.meshgrid(columns, rows)
    x, y = apply_affine(matrix, column, row)
    proj, period = crs.proj, x_period(crs)
    unit = proj.axis_info[0].unit_conversion_factor
    if period is not None and np.ptp(x) > MAX_PERIODS * period:
        return "they span more than 360 degrees of longitude"
    if proj.is_geographic:
        degrees_x, degrees_y = np.degrees(x * unit), np.degrees(y * unit)
        if np.abs(degrees_y).max() > 90 + np.degrees(abs(matrix.e) + abs(matrix.d)) * unit:
            return f"latitude {degrees_y.flat[np.abs(degrees_y).argmax()]:.10g}"
        if degrees_x.min() < LONGITUDES_DEG[0] or degrees_x.max() > LONGITUDES_DEG[1]:
            return f"longitude {degrees_x.flat[np.abs(degrees_x).argmax()]:.10g}"
        return None
    if abs(matrix.determinant) * unit**2 < MIN_PX_M**2:
        return f"pixels of {abs(matrix.determinant) ** 0.5 * unit:.3g} m; the coordinates may be in degrees"
    longitudes, latitudes = to_degrees(crs, x, y)
    on_earth = np.isfinite(longitudes) & np.isfinite(latitudes) & (np.hypot(x, y) * unit < MAX_DISTANCE_M)
    return None if on_earth.any() else "no pixel is on the Earth"
