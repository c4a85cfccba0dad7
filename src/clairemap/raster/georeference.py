"""The grid of an opened raster: its CRS and geotransform, checked for saying a place on the Earth."""

from pathlib import Path

import numpy as np
import pyproj
from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from rasterio.errors import CRSError
from rasterio.io import DatasetReader

from clairemap.errors import GridError
from clairemap.grid.coordinates import PROBES_ALONG_SIDE, applied
from clairemap.grid.earth import crs_fault, crs_name, to_degrees, turn_of, without_height

LONGITUDES_DEG = (-360.0, 540.0)
"""Where grids of degrees lie, whether they count from -180, from 0 or on beyond; elsewhere they are not longitudes."""

WIDEST_TURNS = 1.1
"""A grid around the whole Earth may repeat some columns, but it doesn't go around twice."""

SMALLEST_PX_M = 1e-3
"""Side of a pixel; smaller ones are degrees with the name of a projection."""

FURTHEST_M = 1e8
"""Distance from a projection's origin; zones that stand before the easting take it to 6e7."""

CRS_REMEDY = (
    "assign the CRS that the file has (gdal_edit.py -a_srs EPSG:...), or strip it from all files of the scene "
    "(gdal_edit.py -a_srs None -unsetgt) to take them pixel on pixel"
)


def geobox_of(dataset: DatasetReader, path: Path) -> GeoBox:
    """Return the grid of a raster; without any georeferencing plain pixels.

    Raises:
        GridError: the file has a CRS that can't be read or isn't one of the Earth, a CRS without a geotransform or
            with one that does not go with it, or points, polynomials or coordinates for each pixel in its place.
    """
    shape, transform = (int(dataset.height), int(dataset.width)), dataset.transform
    crs = _crs(dataset, path)
    if crs is None or transform == Affine.identity():
        _check_plain(dataset, path)
    if transform.determinant == 0:
        raise GridError(
            f"{path}: its geotransform {tuple(transform)[:6]} has no area; correct it (gdal_edit.py -a_ullr)"
        )
    geobox = GeoBox(shape, transform, crs)
    if crs is not None:
        _check_crs(crs, geobox, path)
        _check_place(crs, geobox, path)
    return geobox


def _crs(dataset: DatasetReader, path: Path) -> CRS | None:
    try:
        return without_height(CRS(dataset.crs)) if dataset.crs else None
    except (CRSError, pyproj.exceptions.CRSError) as error:
        raise GridError(f"{path}: its CRS can't be read ({error}); {CRS_REMEDY}") from None


def _check_plain(dataset: DatasetReader, path: Path) -> None:
    """Refuse files whose pixels lie on no regular grid of the ground: pixel on pixel they would not fit others."""
    for found, what in (
        (dataset.gcps[0], f"{len(dataset.gcps[0])} ground control points"),
        (dataset.rpcs, "rational polynomial coefficients (RPC)"),
        (dataset.tags(ns="GEOLOCATION"), "coordinates for each pixel (geolocation arrays)"),
    ):
        if found:
            raise GridError(
                f"{path}: georeferenced by {what} only; terrain-correct it first (gdalwarp, SNAP or the like)"
            )


def _check_crs(crs: CRS, geobox: GeoBox, path: Path) -> None:
    fault = crs_fault(crs)
    if fault is not None:
        derived = crs.proj.is_derived and crs.proj.is_geographic
        remedy = "reproject the file first (gdalwarp -t_srs EPSG:4326)" if derived else CRS_REMEDY
        raise GridError(f"{path}: its CRS, {crs_name(crs)}, {fault}; {remedy}")
    if geobox.transform == Affine.identity():
        raise GridError(
            f"{path}: has the CRS {crs_name(crs)} but no geotransform, so its place is not known; "
            "give it one (gdal_edit.py -a_ullr), or strip the CRS (gdal_edit.py -a_srs None)"
        )


def _check_place(crs: CRS, geobox: GeoBox, path: Path) -> None:
    """Refuse coordinates that can't be ones of the CRS: PROJ would take 500000 degrees for a longitude."""
    fault = _misplacement(crs, geobox)
    if fault is not None:
        height, width = geobox.shape
        (left, right), (top, bottom) = applied(geobox.transform, np.array([0, width]), np.array([0, height]))
        raise GridError(
            f"{path}: its coordinates, from ({left:.10g}, {top:.10g}) to ({right:.10g}, {bottom:.10g}), do "
            f"not go with its CRS, {crs_name(crs)}: {fault}; assign the CRS that they are in "
            "(gdal_edit.py -a_srs), or correct them (gdal_edit.py -a_ullr)"
        )


def _misplacement(crs: CRS, geobox: GeoBox) -> str | None:
    """Return what is impossible in where a grid lies; None if nothing."""
    matrix, (height, width) = geobox.transform, (int(size) for size in geobox.shape)
    columns, rows = (np.linspace(0.5, size - 0.5, PROBES_ALONG_SIDE) for size in (width, height))
    column, row = np.meshgrid(columns, rows)
    x, y = applied(matrix, column, row)
    proj, turn = crs.proj, turn_of(crs)
    unit = proj.axis_info[0].unit_conversion_factor
    if turn is not None and np.ptp(x) > WIDEST_TURNS * turn:
        return "they go around the Earth more than once"
    if proj.is_geographic:
        degrees_x, degrees_y = np.degrees(x * unit), np.degrees(y * unit)
        if np.abs(degrees_y).max() > 90 + np.degrees(abs(matrix.e) + abs(matrix.d)) * unit:
            return f"latitude {degrees_y.flat[np.abs(degrees_y).argmax()]:.10g}"
        if degrees_x.min() < LONGITUDES_DEG[0] or degrees_x.max() > LONGITUDES_DEG[1]:
            return f"longitude {degrees_x.flat[np.abs(degrees_x).argmax()]:.10g}"
        return None
    if abs(matrix.determinant) * unit**2 < SMALLEST_PX_M**2:
        return f"pixels of {abs(matrix.determinant) ** 0.5 * unit:.3g} m, as if they were degrees"
    longitudes, latitudes = to_degrees(crs, x, y)
    on_earth = np.isfinite(longitudes) & np.isfinite(latitudes) & (np.hypot(x, y) * unit < FURTHEST_M)
    return None if on_earth.any() else "no pixel lies on the Earth"
