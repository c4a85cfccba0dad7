"""Zones of a vector file, such as districts, on the grid of a map."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pyproj
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize

from clairemap.accuracy.draw import OUTSIDE
from clairemap.errors import SampleError
from clairemap.grid.earth import crs_name, crs_of, crs_problem, without_height
from clairemap.grid.window import Window
from clairemap.labels.outlines import GridOutliner, Outlines
from clairemap.text import shortened

SLIVER_PX = 1.0
"""Overlaps of zones up to this area are inexact borders, pixels."""

OUTSIDE_ZONES = "outside the zones"
"""Name of the ground of the map that is in no zone."""

SHOWN = 10

Geometries = NDArray[Any]


@dataclass(frozen=True)
class Zones:
    """Zones that do not overlap.

    Attributes:
        names: name of each zone, in the file's order.
        polygons: ground of each zone in pixels of the grid, x to the right and y down, (zone,).
        remarks: what was repaired or left out, for the user.
    """

    names: tuple[str, ...]
    polygons: Geometries
    remarks: tuple[str, ...] = ()

    def within(self, window: Window) -> Iterator[tuple[int, Any]]:
        """Yield the zones that touch a window, with their polygons clipped to it."""
        box = window.x0, window.y0, window.x1, window.y1
        for zone in np.sort(self._tree.query(shapely.box(*box))).tolist():
            clipped = shapely.clip_by_rect(self.polygons[zone], *box)
            if shapely.area(clipped) > 0:
                yield zone, clipped

    def of_pixels(self, window: Window) -> NDArray[np.int32]:
        """Return the zone in which the centre of each pixel of a window is, (y, x); `OUTSIDE` where there is none."""
        shapes = [(polygon, zone) for zone, polygon in self.within(window)]
        if not shapes:
            return np.full(window.shape, OUTSIDE, np.int32)
        return np.asarray(
            rasterize(
                shapes,
                out_shape=window.shape,
                transform=Affine.translation(window.x0, window.y0),
                fill=OUTSIDE,
                dtype="int32",
            )
        )

    def strata_of_pixels(self, window: Window) -> NDArray[np.int32]:
        """Return the same as `of_pixels`, but the number of zones where there is none: a zone of its own."""
        found = self.of_pixels(window)
        return np.where(found == OUTSIDE, np.int32(len(self.names)), found)

    @cached_property
    def _tree(self) -> shapely.STRtree:
        return shapely.STRtree(self.polygons)


def read_zones(path: Path, field: str, grid: GeoBox) -> Zones:
    """Return the zones of a vector file on a grid. Polygons with the same name are one zone.

    Geometries in another CRS are reprojected, those that are not valid are repaired. Ground of several zones belongs to
    the first of them in the file. All of this is in the remarks.

    Raises:
        GridError: no transformation between the CRSs is known.
        SampleError: the file does not exist or cannot be read; it has no CRS, no such field, a polygon without a
            name, or nothing on the grid.
    """
    texts, wkb, crs = _features(path, field)
    outlines = _outlines(path, wkb, crs, grid)
    pieces, repaired = _polygons(outlines, len(wkb))
    usable = np.flatnonzero([piece is not None for piece in pieces])
    names = list(dict.fromkeys(texts[place] for place in usable))
    map_box = shapely.box(0, 0, grid.shape[1], grid.shape[0])
    whole = [
        shapely.intersection(shapely.union_all([pieces[place] for place in usable if texts[place] == name]), map_box)
        for name in names
    ]
    kept = [place for place, polygon in enumerate(whole) if shapely.area(polygon) > 0]
    if not kept:
        raise SampleError(
            f"{path}: none of its {len(wkb)} zones is on the map (zones in {crs_name(crs)}, map in "
            f"{crs_name(crs_of(grid))}); check that the file belongs to this region and that its CRS is right"
        )
    names, whole = [names[place] for place in kept], [whole[place] for place in kept]
    disjoint, overlaps = _disjoint(names, whole)
    absent = [text for text in dict.fromkeys(texts) if text not in names]
    others = int(outlines.not_polygons.sum() + outlines.unusable.sum())
    shared = f"zones overlap, and the overlap counts for the first of them: {shortened(overlaps, SHOWN)}"
    remarks = (
        f"{repaired} polygon(s) are not valid and were repaired" if repaired else "",
        f"{others} feature(s) are not polygons or have no place on the map, and were left out" if others else "",
        shared if overlaps else "",
        f"zones not on the map: {shortened(absent, SHOWN)}" if absent else "",
    )
    return Zones(tuple(names), disjoint, tuple(f"{path}: {remark}" for remark in remarks if remark))


def _features(path: Path, field: str) -> tuple[list[str], NDArray[np.object_], CRS]:
    """Return name and geometry of each feature, and the CRS."""
    if not path.exists():
        raise SampleError(f"{path}: does not exist; correct accuracy.zones")
    try:
        layers = [str(name) for name, kind in pyogrio.list_layers(path) if kind]
        if len(layers) > 1:
            raise SampleError(f"{path}: has several layers ({shortened(layers, SHOWN)}); save the zones as one layer")
        info, _, wkb, columns = pyogrio.raw.read(path, force_2d=True)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError) as error:
        raise SampleError(f"{path}: cannot be read as a vector file ({error}); save it as GeoPackage") from None
    fields = [str(name) for name in info["fields"]]
    if field not in fields:
        raise SampleError(
            f"{path}: has no field {field!r}; set accuracy.zone_field to one of its fields: "
            f"{shortened(fields, 30) or 'none'}"
        )
    texts = [_name(value) for value in columns[fields.index(field)]]
    if unnamed := texts.count(""):
        raise SampleError(f"{path}: {unnamed} of {len(texts)} features have no name in {field!r}; enter their names")
    return texts, wkb, _crs(path, info["crs"])


def _name(value: object) -> str:
    if value is None or value != value:
        return ""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value).strip()


def _crs(path: Path, given: object) -> CRS:
    remedy = "assign its CRS (ogr2ogr -a_srs EPSG:... zones.gpkg FILE)"
    if not given:
        raise SampleError(f"{path}: has no CRS; {remedy}")
    try:
        crs = without_height(CRS(given))
    except pyproj.exceptions.CRSError as error:
        raise SampleError(f"{path}: its CRS cannot be read ({error}); {remedy}") from None
    if problem := crs_problem(crs):
        raise SampleError(f"{path}: its CRS {crs_name(crs)} {problem}; {remedy}")
    return crs


def _outlines(path: Path, wkb: NDArray[np.object_], crs: CRS, grid: GeoBox) -> Outlines:
    try:
        return GridOutliner(grid, crs, None).outlines(wkb)
    except NotImplementedError:  # of shapely
        raise SampleError(
            f"{path}: contains curves, which are not supported; convert them to lines: ogr2ogr -nlt CONVERT_TO_LINEAR "
            "zones.gpkg FILE"
        ) from None


def _polygons(outlines: Outlines, features: int) -> tuple[list[Any], int]:
    """Return the polygons of each feature in pixels of the grid (None without any), and how many were repaired."""
    rings = outlines.rings
    found: list[Any] = [None] * features
    repaired = 0
    edges = np.flatnonzero(np.diff(rings.polygon, prepend=-1, append=-1))
    for start, stop in itertools.pairwise(edges):
        feature = int(outlines.feature[rings.polygon[start]])
        if outlines.unusable[feature]:
            continue
        points = np.column_stack([rings.x[start:stop], rings.y[start:stop]])
        number = rings.ring[start:stop] - rings.ring[start]
        shell, *holes = [points[number == each] for each in range(int(number[-1]) + 1)]
        polygon: Any = shapely.Polygon(shell, holes)
        if not shapely.is_valid(polygon):
            repaired += 1
            polygon = shapely.make_valid(polygon, method="structure", keep_collapsed=False)
        found[feature] = polygon if found[feature] is None else shapely.union(found[feature], polygon)
    return found, repaired


def _disjoint(names: Sequence[str], polygons: Sequence[Any]) -> tuple[Geometries, list[str]]:
    """Return the polygons without the ground of earlier ones, and the overlaps in words."""
    given = np.array(polygons, object)
    tree, found, overlaps = shapely.STRtree(given), given.copy(), []
    for later in range(len(given)):
        for earlier in np.sort(tree.query(given[later])).tolist():
            if earlier >= later:
                continue
            shared_px = float(shapely.area(shapely.intersection(given[earlier], given[later])))
            if shared_px > 0:
                found[later] = shapely.difference(found[later], given[earlier])
            if shared_px > SLIVER_PX:
                overlaps.append(f"{names[earlier]} and {names[later]} ({shared_px:.0f} px)")
    return found, overlaps
