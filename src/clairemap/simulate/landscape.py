"""Land cover of a simulated landscape without limits: rivers, lakes, woods, fields, roads, towns and villages.

Everything is a function of world position and seed, so overlapping scenes agree.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from clairemap.grid.coordinates import Coordinates
from clairemap.simulate.noise import (
    Identity,
    NoiseField,
    PointLattice,
    Positions,
    cells,
    fractal_noise,
    gradient_noise,
    hashed,
    uniform,
)

SETTLEMENT_SPACING_M = 3000.0
_SETTLEMENT_JITTER = 0.3
_HALF_PIXEL_M = 5.0  # edges of houses, streets and fields are blurred over one optical pixel


class GroundCover(IntEnum):
    """Class codes, as in the default legend."""

    WATER = 1
    FOREST = 2
    GRASSLAND = 3
    CROPLAND = 4
    VILLAGE = 5
    CITY = 6
    ROAD = 7


@dataclass(frozen=True)
class Ground:
    """The ground at some positions; all arrays have the shape of the positions."""

    cover: NDArray[np.uint8]  # codes of `GroundCover`
    parcel: Identity  # parcel of the field pattern, also under woods, water and houses
    stand: Identity  # forest stand
    plot: Identity  # plot of a house with garden or yard; valid in villages and towns
    built: NoiseField  # roof fraction of the pixel, 0..1
    paved: NoiseField  # road fraction of the pixel, 0..1
    margin: NoiseField  # field margin fraction of the pixel, 0..1
    slope_east: NoiseField  # slope to the east, arbitrary units, about [-1, 1]
    slope_north: NoiseField  # slope to the north, likewise


@dataclass(frozen=True)
class _Parcels:
    identity: Identity
    centre: Positions
    edge_m: NoiseField  # distance to the parcel's edge


@dataclass(frozen=True)
class _Settlements:
    town: NDArray[np.bool_]
    village: NDArray[np.bool_]
    plot: Identity
    built: NoiseField
    streets: NoiseField


def survey(at: Positions, seed: int) -> Ground:
    """Return the ground at each position.

    Args:
        at: positions in `WORLD_CRS`, metres; any shape.
        seed: seed of the landscape.
    """
    parcels = _parcels(at, seed + 1000)
    river_m = _river_distance(at, seed + 2000)
    warped = at.warped(2500, 230, seed + 5000)
    road_m = _road_distance(warped, seed + 4000)
    settlements = _settlements(warped, road_m, seed + 4000)

    cover = np.full(at.shape, GroundCover.CROPLAND, np.uint8)
    cover[_is_grassland(at, parcels, river_m, seed + 3000)] = GroundCover.GRASSLAND
    cover[_is_forest(at, parcels, seed + 3100)] = GroundCover.FOREST
    cover[(river_m < 0) | _is_lake(at, seed + 2500)] = GroundCover.WATER
    cover[settlements.village] = GroundCover.VILLAGE
    cover[settlements.town] = GroundCover.CITY
    cover[road_m < 0] = GroundCover.ROAD

    inhabited = settlements.village | settlements.town
    on_road = _soft_inside(-road_m, 0)
    built = np.where(inhabited, settlements.built * (1 - on_road), 0).astype(np.float32)
    height = at.warped(2000, 300, seed + 6000)
    return Ground(
        cover=cover,
        parcel=parcels.identity,
        stand=cells(at.warped(400, 60, seed + 3200), 330, 0.45, seed + 3300).identity,
        plot=settlements.plot,
        built=built,
        paved=np.maximum(on_road, np.where(inhabited, settlements.streets * (1 - built), 0)).astype(np.float32),
        margin=_soft_inside(-parcels.edge_m, -4.0),
        slope_east=_slope(height, 40.0, 0.0, seed + 6100),
        slope_north=_slope(height, 0.0, 40.0, seed + 6100),
    )


def _soft_inside(depth_m: NoiseField, start_m: float) -> NoiseField:
    """Return the fraction of a pixel that is more than `start_m` inside an edge, from the depth of its centre."""
    share: NoiseField = np.clip((depth_m - start_m) / (2 * _HALF_PIXEL_M) + 0.5, 0, 1).astype(np.float32)
    return share


def _slope(at: Positions, east_m: float, north_m: float, seed: int) -> NoiseField:
    ahead = fractal_noise(at.shifted(east_m, north_m), 1800, 3, seed)
    return (ahead - fractal_noise(at, 1800, 3, seed)) * 12


def _rotated(at: Positions, x: Coordinates, y: Coordinates, angle: NoiseField) -> Positions:
    cos, sin = np.cos(angle), np.sin(angle)
    east, north = at.x - x, at.y - y
    return Positions(east * cos + north * sin, north * cos - east * sin)


def _parcels(at: Positions, seed: int) -> _Parcels:
    """Divide estates (Voronoi cells) into rows and rows into parcels, along the direction of each estate."""
    estate = cells(at.warped(900, 90, seed + 5), 1150, 0.42, seed)
    angle = np.pi * uniform(estate.identity, 1)
    along = _rotated(at, estate.x, estate.y, angle)
    depth_m = 170 + 190 * uniform(estate.identity, 2).astype(np.float64)
    row = np.floor(along.y / depth_m).astype(np.int64)
    row_identity = hashed(row, estate.identity, seed + 1)
    width_m = 70 + 170 * uniform(row_identity, 3).astype(np.float64) ** 1.5
    start_m = width_m * uniform(row_identity, 4)
    column = np.floor((along.x - start_m) / width_m).astype(np.int64)

    u, v = start_m + (column + 0.5) * width_m, (row + 0.5) * depth_m
    cos, sin = np.cos(angle), np.sin(angle)
    edge_m = np.minimum(width_m / 2 - np.abs(along.x - u), depth_m / 2 - np.abs(along.y - v))
    centre = Positions(estate.x + u * cos - v * sin, estate.y + u * sin + v * cos)
    return _Parcels(hashed(column, row_identity, seed + 2), centre, edge_m.astype(np.float32))


def _line_distance(at: Positions, spacing_m: float, angle: float, seed: int) -> tuple[NoiseField, Identity]:
    """Return the distance to the nearest of parallel lines, metres, and the identity of that line."""
    across = at.y * np.cos(angle) - at.x * np.sin(angle)
    number = np.floor(across / spacing_m).astype(np.int64)
    identity = hashed(number, np.zeros_like(number), seed)
    centre = (number + 0.3 + 0.4 * uniform(identity, 1).astype(np.float64)) * spacing_m
    return np.abs(across - centre).astype(np.float32), identity


def _river_distance(at: Positions, seed: int) -> NoiseField:
    """Return the distance to the nearest river bank, metres; negative in water."""
    meander = at.warped(6000, 1300, seed).warped(2200, 380, seed + 10).warped(900, 140, seed + 15)
    river_m, _ = _line_distance(meander, 10_000, 0.9, seed + 20)
    width_m = 65 + 22 * gradient_noise(at, 1500, seed + 30)
    stream_m, stream = _line_distance(
        at.warped(4000, 800, seed + 40).warped(700, 110, seed + 50), 6500, -0.5, seed + 60
    )
    stream_m = np.where(uniform(stream, 2) < 0.75, stream_m, 1e6)
    bank_m: NoiseField = np.minimum(river_m - width_m, stream_m - 15).astype(np.float32)
    return bank_m


def _is_lake(at: Positions, seed: int) -> NDArray[np.bool_]:
    shore = (
        at.warped(1700, 330, seed + 1).warped(700, 150, seed + 2).warped(260, 50, seed + 3).warped(110, 16, seed + 4)
    )
    basin = cells(shore, 4000, 0.3, seed)
    radius_m = 300 + 620 * uniform(basin.identity, 1)
    return (basin.distance_m < radius_m) & (uniform(basin.identity, 2) < 0.65)


def _is_grassland(at: Positions, parcels: _Parcels, river_m: NoiseField, seed: int) -> NDArray[np.bool_]:
    share = 0.33 + 0.35 * gradient_noise(parcels.centre, 2600, seed)
    meadow = river_m < 110 + 90 * gradient_noise(at, 500, seed + 1)
    return (uniform(parcels.identity, 11) < share) | meadow


def _is_forest(at: Positions, parcels: _Parcels, seed: int) -> NDArray[np.bool_]:
    """Return where forest is: woods whose edges partly follow parcels, and small groves."""
    between = Positions((at.x + parcels.centre.x) / 2, (at.y + parcels.centre.y) / 2)
    woods = fractal_noise(between, 3600, 7, seed) > 0.11
    groves = gradient_noise(at.warped(120, 25, seed + 7), 330, seed + 8) > 0.72
    return woods | groves


def _settlements(warped: Positions, road_m: NoiseField, seed: int) -> _Settlements:
    """Return towns and villages, which extend along roads; in the `warped` positions, roads are straight."""
    node = cells(warped, SETTLEMENT_SPACING_M, _SETTLEMENT_JITTER, seed)
    kind, size = uniform(node.identity, 5), uniform(node.identity, 6)
    growth_m = 230 * np.exp(-((np.maximum(road_m, 0) / 130) ** 2))
    radius_m = np.where(kind < 0.15, 660, 170) + np.where(kind < 0.15, 330, 180) * size + growth_m
    ragged_m = 110 * uniform(_blocks(warped, np.full(warped.shape, 65.0), seed + 2)[0], 1)
    inside = node.distance_m < radius_m + 210 * fractal_noise(warped, 800, 3, seed + 1) - ragged_m
    town, village = inside & (kind < 0.15), inside & (kind >= 0.15) & (kind < 0.82)

    angle = np.pi * uniform(node.identity, 7)
    local = _rotated(warped, node.x, node.y, angle)
    block, street_m = _blocks(local, np.where(town, 105.0, 150.0), seed + 20)
    hall = town & (uniform(block, 1) < 0.14)  # one large roof on the whole block
    plot, house_m = _blocks(local, np.where(hall, 105.0, np.where(town, 35.0, 50.0)), seed + 30)
    setback_m = np.where(hall, 14.0, np.where(town, 4.0, 13.0)).astype(np.float32)
    occupied = uniform(plot, 2) < np.where(town, 0.82, 0.72)
    return _Settlements(
        town=town,
        village=village,
        plot=plot,
        built=_soft_inside(house_m - setback_m, 0) * occupied,
        streets=_soft_inside(-street_m, -8.0),
    )


def _blocks(local: Positions, side_m: NDArray[np.float64], seed: int) -> tuple[Identity, NoiseField]:
    """Return the identity of the grid square at each position, and the distance to its edge, metres."""
    column, row = np.floor(local.x / side_m), np.floor(local.y / side_m)
    inset = np.minimum(0.5 - np.abs(local.x / side_m - column - 0.5), 0.5 - np.abs(local.y / side_m - row - 0.5))
    identity = hashed(column.astype(np.int64), row.astype(np.int64), seed)
    return identity, (inset * side_m).astype(np.float32)


def _road_distance(at: Positions, seed: int) -> NoiseField:
    """Return the distance to the nearest road edge, metres; negative on the road.

    Roads are straight lines, in the warped positions, from each settlement to its eastern and northern neighbours; some
    are left out. In addition there are motorways.
    """
    lattice = PointLattice.around(at, SETTLEMENT_SPACING_M, _SETTLEMENT_JITTER, seed)
    nearest = np.full(at.shape, np.inf)  # squared
    for number, step in enumerate((1, lattice.columns)):
        roads = _Roads.joining(lattice, step, uniform(lattice.identity, 8 + number) < 0.85)
        for start in lattice.neighbours():
            np.minimum(nearest, roads.square_distance(at, start), out=nearest)
    motorway_m, _ = _line_distance(at.warped(7000, 900, seed + 70), 16_000, 0.35, seed + 80)
    edge_m: NoiseField = np.minimum(np.sqrt(nearest) - 16, motorway_m - 25).astype(np.float32)
    return edge_m


@dataclass(frozen=True)
class _Roads:
    """One straight road per point of a lattice: its start and its vector, metres."""

    x: Coordinates
    y: Coordinates
    along_x: Coordinates
    along_y: Coordinates

    @classmethod
    def joining(cls, lattice: PointLattice, step: int, is_open: NDArray[np.bool_]) -> "_Roads":
        """Return the roads from each point to the one `step` later; roads that are not open are moved far away."""
        x = np.where(is_open, lattice.x, 1e9)
        return cls(x, lattice.y, np.roll(lattice.x, -step) - lattice.x, np.roll(lattice.y, -step) - lattice.y)

    def square_distance(self, at: Positions, start: NDArray[np.int64]) -> Coordinates:
        """Return the squared distance from each position to the road with index `start`, m²."""
        along_x, along_y = self.along_x.take(start), self.along_y.take(start)
        from_x, from_y = at.x - self.x.take(start), at.y - self.y.take(start)
        share = np.clip((from_x * along_x + from_y * along_y) / (along_x**2 + along_y**2), 0, 1)
        squared: Coordinates = (from_x - share * along_x) ** 2 + (from_y - share * along_y) ** 2
        return squared
