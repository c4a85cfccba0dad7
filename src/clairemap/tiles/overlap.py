"""How near training tiles of other scenes come to the ground that a model is scored on, and how much they cover."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry, unary_union
from pyproj import Geod

from clairemap.grid.window import Window

FAR_M = 2_000_000.0
"""Scenes whose centres are farther apart share no ground: no scene reaches that far, and projecting what lies on the
other side of the Earth gives nonsense."""

DIGITS = 4
"""Of the share: what is smaller comes from edges that are straight in one CRS and slightly bent in the other."""

EARTH = Geod(ellps="WGS84")

Tiles = Mapping[str, Sequence[Window]]
"""Windows of tiles by scene."""


@dataclass(frozen=True)
class SharedGround:
    """What held-out tiles have in common with training tiles of other scenes.

    `share` (0..1) of their ground is covered by those; `distance_px` is the gap to the nearest, in pixels of the
    held-out scene rounded down (0: they touch), None where no other scene is within FAR_M.
    """

    share: float
    distance_px: int | None


def shared_ground(held_out: Tiles, training: Tiles, grids: Mapping[str, GeoBox]) -> SharedGround | None:
    """Return how the held-out tiles' ground lies to that of training tiles of other scenes.

    Ground is measured on an equal-area projection around each scene with held-out tiles. Scenes without a CRS are
    not compared; None where that leaves no two scenes to compare. Memory grows with the outlines of the tiles.

    Args:
        held_out: labelled tiles that the model is scored on.
        training: labelled tiles that it learns from.
        grids: grid of each scene; one without an entry or without a CRS is not compared.
    """
    scored, learnt = _outlines(held_out, grids), _outlines(training, grids)
    if not any(scene != other for scene in scored for other in learnt):
        return None
    covered = total = 0.0
    nearest_px = math.inf
    for scene, outline in scored.items():
        ground, others = _around(outline, [other for name, other in learnt.items() if name != scene])
        shared = unary_union(ground & other for other in others)
        total += ground.area
        covered += 0.0 if shared is None else shared.area
        pixel_m = math.sqrt(ground.area / sum(window.height * window.width for window in held_out[scene]))
        nearest_px = min([nearest_px, *(ground.geom.distance(other.geom) / pixel_m for other in others)])
    return SharedGround(round(covered / total, DIGITS), None if math.isinf(nearest_px) else int(nearest_px))


def _outlines(tiles: Tiles, grids: Mapping[str, GeoBox]) -> dict[str, Geometry]:
    return {
        scene: unary_union(grids[scene][window.slices].extent for window in windows)
        for scene, windows in tiles.items()
        if windows and scene in grids and grids[scene].crs is not None
    }


def _around(outline: Geometry, others: Sequence[Geometry]) -> tuple[Geometry, list[Geometry]]:
    """Return an outline and those of the others that are within FAR_M, in metres on a projection of its own."""
    lon, lat = _centre(outline)
    local = f"+proj=laea +lat_0={lat} +lon_0={lon} +datum=WGS84 +units=m"
    near = [other for other in others if EARTH.inv(lon, lat, *_centre(other))[2] < FAR_M]
    return outline.to_crs(local, resolution="auto"), [other.to_crs(local, resolution="auto") for other in near]


def _centre(outline: Geometry) -> tuple[float, float]:
    lon, lat = outline.centroid.to_crs("EPSG:4326").coords[0]
    return float(lon), float(lat)
