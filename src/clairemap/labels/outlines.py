"""Geometries of features as outlines in the pixels of a grid: oriented, reprojected, closed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from shapely import GeometryType

from clairemap.grid.coordinates import Coordinates, mesh_grid, pixel_to_world, world_to_pixel
from clairemap.grid.earth import crs_of, transformer_between, wrapped_x, x_period
from clairemap.labels.features import Box
from clairemap.labels.scanlines import Rings

LONGEST_EDGE_PX = 16
"""Edges longer than this get more vertices before they are reprojected: a straight line in one CRS is bent in another.
Between the vertices, the bend is less than 0.01 pixels of up to 1 km."""

MESH = 33
"""Points along each side of a grid at which its extent in another CRS is measured."""

MARGIN = 0.1
"""Margin of the box that is searched for features, as a share of its size."""

HALF_CIRCLE = 0.5
AREAL = (GeometryType.POLYGON, GeometryType.MULTIPOLYGON, GeometryType.GEOMETRYCOLLECTION)

Geometries = NDArray[Any]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Outlines:
    """Outlines of a batch of features; all flags are by position of the feature in the batch.

    Attributes:
        geometries: of all features, in the layer's CRS.
        rings: of all polygons, in pixels of the grid.
        feature: position of each polygon's feature.
        on_grid: features with polygons whose box touches the grid.
        not_polygons: features near the grid without polygons, such as points and lines.
        unusable: features whose geometry cannot be read or has no position in the grid's CRS.
    """

    geometries: Geometries
    rings: Rings
    feature: NDArray[np.int64]
    on_grid: Flags
    not_polygons: Flags
    unusable: Flags

    def repaired(self, irregular: NDArray[np.int64]) -> Flags:
        """Return which features are not valid, of those on the grid with irregular polygons."""
        found = np.zeros(len(self.geometries), np.bool_)
        found[self.feature[irregular]] = True
        found &= self.on_grid
        found[found] = ~shapely.is_valid(self.geometries[found])
        return found


class GridOutliner:
    """Brings geometries from a layer's CRS to a grid."""

    def __init__(self, grid: GeoBox, crs: CRS, extent: Box | None) -> None:
        """Measure the grid in the layer's CRS.

        Args:
            grid: with a CRS.
            crs: the layer's.
            extent: box around all features of the layer, if known.

        Raises:
            GridError: the grid has no CRS, or no transformation between the CRSs is known.
        """
        self.grid = grid
        self._transformer = None if crs_of(grid).proj == crs.proj else transformer_between(crs, crs_of(grid))
        self._period = x_period(grid.crs)
        self._middle = float(pixel_to_world(grid, grid.shape[0] / 2, grid.shape[1] / 2)[0])
        x, y = self._mesh_in(crs)
        self.box = _search_box(x, y, x_period(crs), extent)
        """Box in the layer's CRS that contains the grid; None: all features are searched."""
        steps = np.hypot(np.diff(x, axis=1), np.diff(y, axis=1)) * (MESH - 1) / grid.shape[1]
        self._longest_edge = LONGEST_EDGE_PX * float(np.nanmin(steps, initial=np.inf))

    def _mesh_in(self, crs: CRS) -> tuple[Coordinates, Coordinates]:
        height, width = self.grid.shape.yx
        x, y = pixel_to_world(self.grid, *mesh_grid(np.linspace(0, height, MESH), np.linspace(0, width, MESH)))
        if self._transformer is not None:
            x, y = transformer_between(crs_of(self.grid), crs).transform(x, y)
        return np.where(np.isfinite(x), x, np.nan), np.where(np.isfinite(y), y, np.nan)

    def outlines(self, wkb: NDArray[np.object_]) -> Outlines:
        """Return the outlines of features. Their edges are straight in the layer's CRS."""
        geometries = shapely.from_wkb(wkb, on_invalid="ignore")
        unusable = np.array([item is not None for item in wkb], np.bool_) & shapely.is_missing(geometries)
        near = self._near(geometries)
        areal = near & np.isin(shapely.get_type_id(geometries), AREAL)
        given = geometries.copy()
        geometries[~areal] = None
        polygons, feature = _polygons(self._clipped(geometries))
        # In pixels, whose rows run downwards, outer rings run downwards at their left side.
        polygons = shapely.orient_polygons(polygons, exterior_cw=self.grid.transform.determinant > 0)
        rings, polygon = shapely.get_rings(polygons, return_index=True)
        points, ring = self._with_short_edges(*shapely.get_coordinates(rings, return_index=True))
        owner = polygon[ring]
        y, x = self._pixels(points, feature[owner])
        on_grid, lost = self._placed(y, x, feature[owner], len(wkb))
        if lost.any():
            y[lost[feature[owner]]] = 0  # without a position: no edge crosses a row
        return Outlines(given, Rings(y, x, ring, owner), feature, on_grid, near & ~areal, unusable | lost)

    def _near(self, geometries: Geometries) -> Flags:
        """Return which geometries are not empty and touch the search box."""
        present = ~(shapely.is_missing(geometries) | shapely.is_empty(geometries))
        if self.box is None:
            return np.asarray(present, np.bool_)
        left, low, right, high = shapely.bounds(geometries).T
        near: Flags = (
            present & (right >= self.box[0]) & (left <= self.box[2]) & (high >= self.box[1]) & (low <= self.box[3])
        )
        return near

    def _clipped(self, geometries: Geometries) -> Geometries:
        """Return geometries clipped to the surroundings of the grid, if they are to be reprojected.

        Vertices far from the grid may have no position in its CRS.
        """
        if self._transformer is None or self.box is None:
            return geometries
        left, low, right, high = shapely.bounds(geometries).T
        x0, y0, x1, y1 = self.box
        wide, tall = x1 - x0, y1 - y0
        around = x0 - wide, y0 - tall, x1 + wide, y1 + tall
        beyond = (left < around[0]) | (low < around[1]) | (right > around[2]) | (high > around[3])
        geometries[beyond] = shapely.clip_by_rect(shapely.make_valid(geometries[beyond]), *around)
        return geometries

    def _with_short_edges(self, points: Coordinates, ring: NDArray[np.int64]) -> tuple[Coordinates, NDArray[np.int64]]:
        """Return vertices and their rings with more vertices on long edges, if they are to be reprojected.

        `shapely.segmentize` is not used: it loses parts of polygons that are not valid.
        """
        if self._transformer is None or not np.isfinite(self._longest_edge) or len(points) < 2:
            return points, ring
        steps = np.diff(points, axis=0, append=points[-1:])
        lengths = np.hypot(steps[:, 0], steps[:, 1]) * (np.diff(ring, append=-1) == 0)
        pieces = np.maximum(np.ceil(lengths / self._longest_edge), 1).astype(np.int64)
        if (pieces == 1).all():
            return points, ring
        vertex = np.repeat(np.arange(len(points)), pieces)
        number = np.arange(len(vertex)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        return points[vertex] + steps[vertex] * (number / pieces[vertex])[:, None], ring[vertex]

    def _pixels(self, points: Coordinates, feature: NDArray[np.int64]) -> tuple[Coordinates, Coordinates]:
        """Return the positions (y, x) of points; in periodic x each feature is at its place nearest to the grid."""
        x, y = points[:, 0], points[:, 1]
        if self._transformer is not None:
            x, y = self._transformer.transform(x, y)
        if self._period is not None and len(x):
            starts = np.flatnonzero(np.diff(feature, prepend=-1))
            middle = (np.minimum.reduceat(x, starts) + np.maximum.reduceat(x, starts)) / 2
            shift = wrapped_x(middle, self._middle, self._period) - middle
            x = x + np.repeat(shift, np.diff(starts, append=len(x)))
        return world_to_pixel(self.grid, x, y)

    def _placed(self, y: Coordinates, x: Coordinates, feature: NDArray[np.int64], count: int) -> tuple[Flags, Flags]:
        """Return which features touch the grid, and which have vertices without a position."""
        on_grid, lost = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
        if len(y):
            starts = np.flatnonzero(np.diff(feature, prepend=-1))
            low, high = (np.stack([edge.reduceat(c, starts) for c in (y, x)]) for edge in (np.minimum, np.maximum))
            finite = np.isfinite(low).all(0) & np.isfinite(high).all(0)
            size = np.array(self.grid.shape.yx)[:, None]
            on_grid[feature[starts]] = finite & (high > 0).all(0) & (low < size).all(0)
            lost[feature[starts]] = ~finite
        return on_grid, lost


def _polygons(geometries: Geometries) -> tuple[Geometries, NDArray[np.int64]]:
    """Return the polygons of geometries, also those in collections, and the position of each one's geometry."""
    parts, feature = shapely.get_parts(geometries, return_index=True)
    while (shapely.get_num_geometries(parts) > 1).any() or (shapely.get_type_id(parts) > GeometryType.POLYGON).any():
        parts, inner = shapely.get_parts(parts, return_index=True)
        feature = feature[inner]
    areal = shapely.get_type_id(parts) == GeometryType.POLYGON
    return parts[areal], feature[areal]


def _search_box(x: Coordinates, y: Coordinates, period: float | None, extent: Box | None) -> Box | None:
    """Return a box around coordinates, with a margin; None if there is none, or it may cross the 180th meridian."""
    if np.isnan(x).any() or np.isnan(y).any():
        return None
    if period is not None:
        half = HALF_CIRCLE * period
        far = max(-extent[0], extent[2]) if extent is not None else 0.0
        if np.ptp(x) > half or np.abs(x).max() > half or far > 1.001 * half:  # degrees from 0 to 360, for example
            return None
    wide, tall = MARGIN * float(np.ptp(x)), MARGIN * float(np.ptp(y))
    return float(x.min()) - wide, float(y.min()) - tall, float(x.max()) + wide, float(y.max()) + tall
