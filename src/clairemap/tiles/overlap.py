"""Overlap and distance of held-out tiles and training tiles of other scenes."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from pyproj import Geod
from shapely.geometry import box, shape
from shapely.geometry.base import BaseGeometry

from clairemap.grid.earth import from_degrees
from clairemap.grid.outline import outline_of_windows
from clairemap.grid.window import Window

FAR_M = 2_000_000.0
"""Maximum distance considered: local projections are not reliable beyond it."""

PIECE_DEG = 20.0
"""Ground larger than `FAR_M` is split into pieces of this size."""

STEP_DEG = 0.1
"""Maximum length of straight lines in longitude and latitude."""

COORDINATE_DIGITS = 4
"""Digits of the share: smaller overlaps arise where an edge is straight in one CRS and curved in the other."""

WGS84_GEOD = Geod(ellps="WGS84")

GroundPolygons: TypeAlias = BaseGeometry
"""One or several polygons, in degrees of longitude and latitude or in metres."""

Tiles = Mapping[str, Sequence[Window]]
"""Tile windows by scene."""


@dataclass(frozen=True)
class SharedGround:
    """Overlap of held-out tiles with training tiles of other scenes.

    `share` (0..1) is the covered share of their ground. `distance_px` is the gap to the nearest training tile, in
    pixels of the held-out scene, rounded down (0: they touch); None if no other scene is within FAR_M.
    """

    share: float
    distance_px: int | None


def shared_ground(held_out: Tiles, training: Tiles, grids: Mapping[str, GeoBox]) -> SharedGround | None:
    """Return the overlap of held-out tiles with training tiles of other scenes; None without two scenes to compare.

    Areas are measured on an equal-area projection around each held-out scene. Scenes without a CRS are not compared.
    Memory grows with the outlines of the tiles.

    Args:
        held_out: labelled tiles for scoring.
        training: labelled tiles for training.
        grids: grid of each scene; scenes without an entry or without a CRS are not compared.
    """
    learnt = _outlines(training, grids)
    return shared_with(held_out, grids, lambda scene: [other for name, other in learnt.items() if name != scene])


def shared_with(
    held_out: Tiles, grids: Mapping[str, GeoBox], training_ground: Callable[[str], Sequence[GroundPolygons]]
) -> SharedGround | None:
    """Return the overlap of held-out tiles with ground used for training; None if nothing can be compared.

    `training_ground` returns the ground to compare a scene with, in degrees; see `shared_ground`.
    """
    scored = {scene: (ground, training_ground(scene)) for scene, ground in _outlines(held_out, grids).items()}
    if not any(others for _, others in scored.values()):
        return None
    covered = total = 0.0
    nearest_px = math.inf
    for scene, (outline, others) in scored.items():
        pieces = [_around(piece, others) for piece in _pieces(outline)]
        area = sum(ground.area for ground, _ in pieces)
        pixel_m = math.sqrt(area / sum(window.height * window.width for window in held_out[scene]))
        total += area
        for ground, near in pieces:
            covered += shapely.intersection(ground, shapely.union_all(near)).area
            nearest_px = min([nearest_px, *(ground.distance(other) / pixel_m for other in near)])
    return SharedGround(round(covered / total, COORDINATE_DIGITS), None if math.isinf(nearest_px) else int(nearest_px))


def _outlines(tiles: Tiles, grids: Mapping[str, GeoBox]) -> dict[str, GroundPolygons]:
    """Return the ground of each scene's tiles, in longitude and latitude from -180 to 180 degrees."""
    found = {
        scene: outline_of_windows(grids[scene], windows)
        for scene, windows in tiles.items()
        if windows and scene in grids and grids[scene].crs is not None
    }
    return {scene: shape(outline.geometry) for scene, outline in found.items() if outline is not None}


def _pieces(outline: GroundPolygons) -> Iterator[GroundPolygons]:
    """Yield ground in pieces small enough for one projection each."""
    west, south, east, north = outline.bounds
    if _reach_m(outline, _centre(outline)) < FAR_M:
        yield outline
        return
    for left in np.arange(west, east, PIECE_DEG):
        for bottom in np.arange(south, north, PIECE_DEG):
            piece = _polygons(outline.intersection(box(left, bottom, left + PIECE_DEG, bottom + PIECE_DEG)))
            if not piece.is_empty:
                yield piece


def _around(outline: GroundPolygons, others: Sequence[GroundPolygons]) -> tuple[GroundPolygons, list[GroundPolygons]]:
    """Return an outline and the others' ground within FAR_M, in metres on an equal-area projection centred on it."""
    longitude, latitude = centre = _centre(outline)
    local = CRS(f"+proj=laea +lat_0={latitude} +lon_0={longitude} +datum=WGS84 +units=m")
    surroundings = _surroundings(centre, math.degrees((FAR_M + _reach_m(outline, centre)) / WGS84_GEOD.b))
    near = [_polygons(other.intersection(surroundings)) for other in others]
    return _projected(outline, local), [_projected(other, local) for other in near if not other.is_empty]


def _surroundings(centre: tuple[float, float], radius_deg: float) -> GroundPolygons:
    """Return a box around a position, in two pieces if it crosses 180 degrees."""
    longitude, latitude = centre
    south, north = max(latitude - radius_deg, -90), min(latitude + radius_deg, 90)
    narrowest = math.cos(math.radians(max(-south, north)))
    half = min(radius_deg / narrowest, 180) if narrowest > 0.01 else 180
    turns = (box(longitude - half + turn, south, longitude + half + turn, north) for turn in (-360, 0, 360))
    return shapely.union_all([each.intersection(box(-180, -90, 180, 90)) for each in turns])


def _projected(ground: GroundPolygons, local: CRS) -> GroundPolygons:
    def forward(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack(from_degrees(local, points[:, 0], points[:, 1]), axis=1)

    return _polygons(shapely.make_valid(shapely.transform(shapely.segmentize(ground, STEP_DEG), forward)))


def _polygons(ground: GroundPolygons) -> GroundPolygons:
    """Return ground without the lines and points that intersections leave."""
    return shapely.union_all([part for part in shapely.get_parts(ground) if part.geom_type.endswith("Polygon")])


def _centre(ground: GroundPolygons) -> tuple[float, float]:
    """Return longitude and latitude of the mean of the outline's points in space, where 180 degrees is not an edge."""
    longitudes, latitudes = np.radians(shapely.get_coordinates(ground)).T
    x, y = np.cos(latitudes) * np.cos(longitudes), np.cos(latitudes) * np.sin(longitudes)
    middle = x.mean(), y.mean(), np.sin(latitudes).mean()
    return math.degrees(math.atan2(middle[1], middle[0])), math.degrees(math.atan2(middle[2], math.hypot(*middle[:2])))


def _reach_m(ground: GroundPolygons, centre: tuple[float, float]) -> float:
    longitudes, latitudes = shapely.get_coordinates(ground).T
    here = np.full((2, longitudes.size), np.array(centre)[:, None])
    return float(np.max(WGS84_GEOD.inv(here[0], here[1], longitudes, latitudes)[2]))
