"""How much of the ground that a model is scored on lies under training tiles of other scenes."""

import logging
from collections.abc import Mapping, Sequence

from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry, unary_union
from pyproj import Geod

from clairemap.grid.window import Window

log = logging.getLogger(__name__)

FAR_M = 2_000_000.0
"""Scenes whose centres are farther apart share no ground: no scene reaches that far, and projecting what lies on the
other side of the Earth gives nonsense."""

DIGITS = 4
"""Of the share: what is smaller comes from edges that are straight in one CRS and slightly bent in the other."""

EARTH = Geod(ellps="WGS84")

Tiles = Mapping[str, Sequence[Window]]
"""Windows of tiles by scene."""


def overlapping_share(held_out: Tiles, training: Tiles, grids: Mapping[str, GeoBox]) -> float | None:
    """Return the share of the held-out tiles' ground that training tiles of other scenes cover, 0..1.

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
    for scene, outline in scored.items():
        others = [other for name, other in learnt.items() if name != scene]
        area, shared = _areas(outline, others)
        total += area
        covered += shared
    return round(covered / total, DIGITS)


def _outlines(tiles: Tiles, grids: Mapping[str, GeoBox]) -> dict[str, Geometry]:
    return {
        scene: unary_union(grids[scene][window.slices].extent for window in windows)
        for scene, windows in tiles.items()
        if windows and scene in grids and grids[scene].crs is not None
    }


def _areas(outline: Geometry, others: Sequence[Geometry]) -> tuple[float, float]:
    """Return the area of an outline and how much of it the others cover together, in square metres."""
    lon, lat = _centre(outline)
    local = f"+proj=laea +lat_0={lat} +lon_0={lon} +datum=WGS84 +units=m"
    ground = outline.to_crs(local, resolution="auto")
    near = [other for other in others if EARTH.inv(lon, lat, *_centre(other))[2] < FAR_M]
    shared = unary_union(ground & other.to_crs(local, resolution="auto") for other in near)
    return float(ground.area), 0.0 if shared is None else float(shared.area)


def _centre(outline: Geometry) -> tuple[float, float]:
    lon, lat = outline.centroid.to_crs("EPSG:4326").coords[0]
    return float(lon), float(lat)
