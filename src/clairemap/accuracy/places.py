"""Places in files of answers: where interpreters looked, compared with the pixels that were drawn.

Ids alone do not tell that a column was sorted apart from the others, that points were moved, or that the file is of
another region: ids depend on the position in the map, so maps of equal width share many.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

from clairemap.artefacts.sample_design import DesignUnit
from clairemap.grid.coordinates import pixel_to_world, world_to_pixel
from clairemap.grid.earth import WGS84, crs_of, transformer_between, wrapped_x, x_period

TOLERANCE_PX = 1.0
"""Largest distance from the middle of a pixel along rows and columns: coordinates may be rounded."""

COORDINATES = (("map_x", "map_y", None), ("longitude", "latitude", WGS84))
"""Columns of coordinates, in lower case, and their CRS (None: the map's)."""


@dataclass(frozen=True)
class Place:
    """Coordinates in a CRS; None: the map's."""

    x: float
    y: float
    crs: str | None


def places_in_row(header: Sequence[str], row: Sequence[object]) -> tuple[Place, ...]:
    """Return the places that the columns of a row say, none where a coordinate is no number."""
    cells = dict(zip((name.strip().lower() for name in header), row, strict=False))
    pairs = ((_number(cells.get(x)), _number(cells.get(y)), crs) for x, y, crs in COORDINATES)
    return tuple(Place(x, y, crs) for x, y, crs in pairs if np.isfinite(x) and np.isfinite(y))


def places_of_geometries(wkb: NDArray[Any], crs: str) -> list[tuple[Place, ...]]:
    """Return the place of each geometry; none where it is missing or of an unknown type."""
    centres = shapely.centroid(shapely.from_wkb(wkb, on_invalid="ignore"))
    x, y = shapely.get_x(centres).tolist(), shapely.get_y(centres).tolist()
    return [(Place(*point, crs),) if np.isfinite(point).all() else () for point in zip(x, y, strict=True)]


def moved_units(
    places: Iterable[tuple[str, Sequence[Place]]], units: Mapping[str, DesignUnit], grid: GeoBox
) -> set[str]:
    """Return the ids of the units that are at another place than their pixel.

    A unit with several places has not moved if one of them is right: spreadsheets spoil single columns.

    Args:
        places: id and places of each answer; those of unknown units and without a place are passed over.
        units: drawn pixels by id.
        grid: grid of the map.

    Raises:
        GridError: no transformation from a CRS of the places to that of the map is known.
    """
    found = [(name, place) for name, here in places if name in units for place in here]
    right: dict[str, bool] = {}
    middle = float(pixel_to_world(grid, grid.shape[0] / 2, grid.shape[1] / 2)[0])
    for crs in {place.crs for _, place in found}:
        names = [name for name, place in found if place.crs == crs]
        x, y = np.array([(place.x, place.y) for _, place in found if place.crs == crs]).T
        if crs is not None and CRS(crs) != grid.crs:
            x, y = transformer_between(CRS(crs), crs_of(grid)).transform(x, y)
        rows, columns = world_to_pixel(grid, wrapped_x(x, middle, x_period(grid.crs)), y)
        for name, row, column in zip(names, rows.tolist(), columns.tolist(), strict=True):
            away_px = max(abs(row - units[name].row - 0.5), abs(column - units[name].column - 0.5))
            right[name] = right.get(name, False) or away_px <= TOLERANCE_PX
    return {name for name, is_right in right.items() if not is_right}


def _number(cell: object) -> float:
    """Return a cell as a number, also with a decimal comma; NaN if it is none."""
    try:
        return float(str(cell).strip().replace(",", "."))
    except ValueError:
        return float("nan")
