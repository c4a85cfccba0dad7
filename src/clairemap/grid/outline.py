"""Outlines as GeoJSON (RFC 7946), of grids and windows and from files: WGS 84 longitudes and latitudes.

Outlines that cross 180 degrees are split there; outlines around a pole extend to it.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from shapely.affinity import translate
from shapely.geometry import LinearRing, MultiPolygon, Point, Polygon, box, mapping
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient

from clairemap.grid.coordinates import apply_affine
from clairemap.grid.earth import crs_of, from_degrees, to_degrees
from clairemap.grid.window import Window

PointsXY = NDArray[np.float64]
"""Points (n, 2): x, y in pixels, or longitude and latitude in degrees."""

SIDE_POINTS = 16
"""Points along the longer side of a shape; straight lines on a grid are curved in degrees."""

LARGEST_STEP_DEG = 30.0
"""Maximum longitude difference between neighbouring points; 180 degrees and more are ambiguous."""

HALVINGS = 20
"""Maximum number of halvings to reach `LARGEST_STEP_DEG`."""

POLE_DEG = 90 - 2e-6
"""Latitude from which a point counts as the pole (0.2 m)."""

CLIPPED_DEG = 90 - 1e-6
"""Maximum latitude of grids in degrees, so that a datum change keeps the longitude."""

MAX_LONGITUDE_DEG = 540.0
"""Maximum longitude of a file's outline: some continue beyond 180 degrees."""

MAX_LATITUDE_DEG = 90 + 1e-6
"""Maximum latitude of a file's outline, with rounding."""

DEGREE_DECIMALS = 7
"""Decimals of degrees (1 cm), so that outlines are the same on all machines."""


@dataclass(frozen=True)
class Outline:
    """An area on the Earth (RFC 7946), WGS 84: longitudes from -180 to 180, latitudes from -90 to 90 degrees.

    `geometry` is a GeoJSON Polygon or MultiPolygon with counter-clockwise exterior rings. `bbox` is the narrowest box
    as (west, south, east, north); west is greater than east if it crosses 180 degrees.
    """

    geometry: dict[str, Any]
    bbox: tuple[float, float, float, float]


def outline_of(parts: Iterable[tuple[GeoBox, BaseGeometry]]) -> Outline | None:
    """Return the outline of the union of shapes on grids; None if it is empty.

    Args:
        parts: grids, each with a polygon in pixels (x = column, y = row, outer corner of the first pixel at 0, 0).
            Each grid has a CRS; the CRSs may differ.
    """
    found = [piece for geobox, shape in parts for piece in _ground(geobox, shape)]
    ground = shapely.set_precision(shapely.union_all(found), 10**-DEGREE_DECIMALS)
    polygons = [orient(part) for part in getattr(ground, "geoms", [ground]) if isinstance(part, Polygon)]
    polygons = [part for part in polygons if not part.is_empty]
    if not polygons:
        return None
    shape = polygons[0] if len(polygons) == 1 else MultiPolygon(polygons)
    return Outline(_rounded(mapping(shape)), _bbox(polygons))


def outline_of_windows(geobox: GeoBox, windows: Iterable[Window]) -> Outline | None:
    """Return the outline of windows of a grid that has a CRS; None if it is empty."""
    boxes = [box(window.x0, window.y0, window.x1, window.y1) for window in windows]
    return outline_of([(geobox, shapely.union_all(boxes))])


def _ground(geobox: GeoBox, shape: BaseGeometry) -> Iterator[BaseGeometry]:
    """Yield the areas of a shape in pixels, between -180 and 180 degrees."""
    for polygon in getattr(shape, "geoms", [shape]):
        if not polygon.is_empty:
            holes = [_inside(geobox, ring) for ring in polygon.interiors]
            yield _inside(geobox, polygon.exterior).difference(shapely.union_all(holes))


def _inside(geobox: GeoBox, ring: LinearRing) -> BaseGeometry:
    """Return the area inside a closed ring in pixels, between -180 and 180 degrees."""
    points = _densified(geobox, ring)
    if not _straight_in_degrees(geobox):
        points = _between_poles(points)
    if len(points) < 4:
        return Polygon()
    turns = np.cumsum(np.round(np.diff(points[:, 0]) / 360))
    points[1:, 0] -= 360 * turns
    if abs(points[-1, 0] - points[0, 0]) > 180:
        pole = _pole_inside(geobox, ring, points)
        points = np.concatenate([points, [[points[-1, 0], pole], [points[0, 0], pole]]])
    return _split(shapely.make_valid(Polygon(points)))


def _densified(geobox: GeoBox, ring: LinearRing) -> PointsXY:
    """Return longitudes and latitudes along a ring, with steps of at most `LARGEST_STEP_DEG`."""
    west, north, east, south = ring.bounds
    pixels = np.asarray(shapely.segmentize(ring, max(east - west, south - north) / SIDE_POINTS).coords)[:, :2]
    for _ in range(HALVINGS):
        points = _degrees(geobox, pixels)
        steps = np.abs(np.remainder(np.diff(points[:, 0]) + 180, 360) - 180)
        at_pole = np.abs(points[:, 1]) >= POLE_DEG
        wide = np.flatnonzero((steps > LARGEST_STEP_DEG) & ~at_pole[:-1] & ~at_pole[1:])
        if not wide.size:
            break
        pixels = np.insert(pixels, wide + 1, (pixels[wide] + pixels[wide + 1]) / 2, axis=0)
    points = _degrees(geobox, pixels)
    return points[np.isfinite(points).all(axis=1)]


def _degrees(geobox: GeoBox, pixels: PointsXY) -> PointsXY:
    """Return longitudes and latitudes of pixels; grids in degrees are cut off at the poles."""
    x, y = apply_affine(geobox.transform, pixels[:, 0], pixels[:, 1])
    if _straight_in_degrees(geobox):
        unit = crs_of(geobox).proj.axis_info[0].unit_conversion_factor
        y = np.clip(y, *np.radians([-CLIPPED_DEG, CLIPPED_DEG]) / unit)
    longitudes, latitudes = to_degrees(crs_of(geobox), x, y)
    at_pole = np.abs(latitudes) >= POLE_DEG
    return np.stack([longitudes, np.where(at_pole, np.copysign(90, latitudes), latitudes)], axis=1)


def _straight_in_degrees(geobox: GeoBox) -> bool:
    """Return whether straight lines on a grid are straight in degrees, so that none goes around a pole."""
    proj = crs_of(geobox).proj
    return bool(proj.is_geographic and not proj.is_derived)


def _between_poles(points: PointsXY) -> PointsXY:
    """Return a ring's points with each pole at the longitudes of its neighbours."""
    at_pole = np.abs(points[:, 1]) >= POLE_DEG
    known = np.flatnonzero(~at_pole)
    if known.size in (0, len(points)):
        return points
    points = points.copy()
    out: list[tuple[float, float]] = []
    for index, (longitude, latitude) in enumerate(points):
        if not at_pole[index]:
            out.append((longitude, latitude))
            continue
        before, after = known[known < index], known[known > index]
        sides = before[-1] if before.size else known[-1], after[0] if after.size else known[0]
        out += [(points[other, 0], math.copysign(90, latitude)) for other in sides]
    return np.array(out)


def _pole_inside(geobox: GeoBox, ring: LinearRing, points: PointsXY) -> float:
    """Return the latitude of the pole inside a ring."""
    for latitude in (90.0, -90.0):
        x, y = from_degrees(crs_of(geobox), np.zeros(1), np.full(1, latitude))
        column, row = apply_affine(~geobox.transform, x[0], y[0])
        if np.isfinite([column, row]).all() and Polygon(ring).contains(Point(float(column), float(row))):
            return latitude
    return math.copysign(90, float(points[:, 1].mean()))


def _split(shape: BaseGeometry) -> BaseGeometry:
    """Return a shape moved to -180 to 180 degrees, in pieces if it crosses 180."""
    west, _, east, _ = shape.bounds
    turns = range(math.floor((west + 180) / 360), math.ceil((east + 180) / 360))
    pieces = [translate(shape.intersection(box(360 * n - 180, -90, 360 * n + 180, 90)), -360 * n) for n in turns]
    return shapely.union_all(pieces)


def _bbox(polygons: Sequence[Polygon]) -> tuple[float, float, float, float]:
    """Return (west, south, east, north) of the box that leaves out the widest gap between polygons."""
    bounds = sorted(polygon.bounds for polygon in polygons)
    south, north = min(each[1] for each in bounds), max(each[3] for each in bounds)
    west, east = bounds[0][0], max(each[2] for each in bounds)
    widest, reached = 360 - (east - west), bounds[0][2]
    for left, _, right, _ in bounds[1:]:
        if left - reached > widest:
            widest, west, east = left - reached, left, reached
        reached = max(reached, right)
    return tuple(round(float(value), DEGREE_DECIMALS) for value in (west, south, east, north))  # type: ignore[return-value]


def _rounded(geometry: dict[str, Any]) -> dict[str, Any]:
    rounded: dict[str, Any] = json.loads(
        json.dumps(geometry), parse_float=lambda text: round(float(text), DEGREE_DECIMALS)
    )
    return rounded


# Outlines from files


def area_of(geometry: Mapping[str, Any]) -> BaseGeometry:
    """Return the area of a GeoJSON geometry, between -180 and 180 degrees.

    Neighbouring points of a ring that are more than 180 degrees apart are taken as neighbours across the antimeridian,
    as in outlines that were not split there. A ring around a pole extends to it.

    Raises:
        ValueError: it is not a geometry with an area in degrees; the message is a phrase.
    """
    try:
        shape = shapely.geometry.shape(dict(geometry))
    except (AttributeError, KeyError, TypeError, ValueError, shapely.errors.ShapelyError):
        raise ValueError("is not a valid GeoJSON geometry") from None
    polygons = [
        part
        for part in shapely.get_parts(shapely.get_parts([shape]))
        if isinstance(part, Polygon) and not part.is_empty
    ]
    area = shapely.union_all([_area_of_polygon(polygon) for polygon in polygons])
    if not area.area:
        raise ValueError(f"has no area (its type is {shape.geom_type})")
    return area


def area_of_box(west: float, south: float, east: float, north: float) -> BaseGeometry:
    """Return the area of a box in degrees; it crosses the antimeridian if west is greater than east."""
    if west <= east:
        return box(west, south, east, north)
    return shapely.union_all([box(west, south, 180, north), box(-180, south, east, north)])


def equal_area(shape: BaseGeometry) -> BaseGeometry:
    """Return a shape in degrees in a projection in which areas have the ratios of areas on the sphere."""
    projected: BaseGeometry = shapely.transform(
        shape, lambda points: np.stack([points[:, 0], np.degrees(np.sin(np.radians(points[:, 1])))], axis=1)
    )
    return projected


def _area_of_polygon(polygon: Polygon) -> BaseGeometry:
    holes = [_area_of_ring(ring) for ring in polygon.interiors]
    return _area_of_ring(polygon.exterior).difference(shapely.union_all(holes))


def _area_of_ring(ring: LinearRing) -> BaseGeometry:
    points = np.asarray(ring.coords, np.float64)[:, :2]
    if not np.isfinite(points).all() or (np.abs(points) > [MAX_LONGITUDE_DEG, MAX_LATITUDE_DEG]).any():
        raise ValueError("has coordinates that are not longitudes and latitudes in degrees")
    steps = np.diff(points[:, 0])
    crossing = (np.abs(steps) > 180) & (np.abs(steps) < 360)
    points[1:, 0] -= 360 * np.cumsum(np.where(crossing, np.sign(steps), 0))
    if abs(points[-1, 0] - points[0, 0]) > 180:
        pole = math.copysign(90, float(points[:, 1].mean()))
        points = np.concatenate([points, [[points[-1, 0], pole], [points[0, 0], pole]]])
    return _split(shapely.make_valid(Polygon(points)))
