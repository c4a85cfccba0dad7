"""The grid of a region's map, and where scenes lie on it."""

import math
from collections.abc import Mapping

import numpy as np
import pyproj
from affine import Affine
from numpy.typing import NDArray
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

from clairemap.errors import GridError
from clairemap.grid.coordinates import applied
from clairemap.grid.earth import (
    crs_fault,
    crs_name,
    crs_of,
    from_degrees,
    in_turn,
    transformer_between,
    turn_of,
    without_height,
)
from clairemap.grid.window import Window
from clairemap.settings import MosaicSettings

Points = NDArray[np.float64]
"""Points (n, 2): x, y."""

TOLERANCE_PX = 0.01
"""Grids that differ by less than this everywhere count as the same; a pixel edge this far out adds no pixel."""

POINTS = 33
"""Points along each side of a scene by which its extent on another grid is found."""

LARGEST_SIDE_PX = 2_000_000

LARGEST_RATIO = 100.0
"""The map's pixels are at most this many times larger or smaller than the finest scene's."""

LEAST_SIDE_PX = 8
"""Pixels that a map coarser than its scenes has along its longer side at least."""

TORN = 50.0
"""Neighbouring points of a scene that lie this many times as far apart as others show that a projection tears it."""


def region_grid(scenes: Mapping[str, GeoBox], settings: MosaicSettings) -> GeoBox:
    """Return the grid that covers all scenes.

    Its CRS is the settings' or the one most pixels have (ties: the first scene's); its resolution the settings'
    or that of the finest scene in that CRS. Where scenes have just that CRS and resolution, the grid is theirs (the
    largest scene's, if they don't fit each other), so that they are copied without resampling; else its edges
    are multiples of the resolution. One scene without a CRS keeps its own pixel grid. Where x returns after a full
    circle of longitude, scenes count at the turns that make the map narrowest: one map across 180 degrees.

    Args:
        scenes: grids by scene name, at least one.
        settings: CRS and resolution, if the user sets them.

    Raises:
        GridError: scenes without a CRS can't be put together with others, the CRS is unknown or unfit, or the
            resolution is out of proportion to the scenes'.
    """
    unplaced = [name for name, geobox in scenes.items() if geobox.crs is None]
    if unplaced and (len(scenes) > 1 or settings.crs is not None):
        raise GridError(
            f"scene(s) {', '.join(unplaced)} have no CRS and can't be put on one grid with others; "
            "set mosaic.grid: scene (a map for each scene) and leave mosaic.crs empty"
        )
    if unplaced:
        return scenes[unplaced[0]]
    crs = _crs(scenes, settings)
    native = [geobox for geobox in scenes.values() if geobox.crs == crs]
    size = _pixel_size(list(scenes.values()), native, crs, settings)
    frame = _anchor(native, size, crs)
    extents = np.array([_extent(geobox, frame) for geobox in scenes.values()])
    if not np.isfinite(extents).all():
        raise GridError(f"the scenes can't be projected to {crs}; set mosaic.crs to one that covers all of them")
    for name, geobox in scenes.items():
        _check_whole(name, geobox, frame)
    if (turn_px := _turn_px(frame)) is not None:
        largest = max(native or scenes.values(), key=lambda geobox: geobox.shape[0] * geobox.shape[1])
        fixed = list(scenes.values()).index(largest)
        extents[:, [0, 2]] += turn_px * _turns(extents[:, 0], extents[:, 2], turn_px, fixed)[:, None]
    x0, y0 = np.floor(extents[:, :2].min(axis=0) + TOLERANCE_PX)
    x1, y1 = np.ceil(extents[:, 2:].max(axis=0) - TOLERANCE_PX)
    window = Window(int(y0), int(x0), int(y1 - y0), int(x1 - x0))
    if settings.resolution is not None:
        _check_resolution(scenes, crs, settings.resolution, window)
    return _grown(frame, window)


def _turns(starts: NDArray[np.float64], ends: NDArray[np.float64], turn: float, fixed: int) -> NDArray[np.float64]:
    """Return by how many turns each interval is moved, so that all lie side by side behind the widest gap.

    The interval of the index `fixed` stays where it is.
    """
    within = starts % turn
    order = np.argsort(within)
    reached = np.maximum.accumulate((within + ends - starts)[order])
    reached = np.maximum(reached, reached[-1] - turn)
    gaps = np.append(within[order][1:], within[order[0]] + turn) - reached
    behind = order[(int(np.argmax(gaps)) + 1) % len(order)] if gaps.max() > 0 else fixed
    moved = -np.floor((starts - starts[behind] + TOLERANCE_PX) / turn)
    return np.asarray(moved - moved[fixed])


def _check_resolution(scenes: Mapping[str, GeoBox], crs: CRS, resolution: float, window: Window) -> None:
    """Refuse a resolution that was meant for another unit, or leaves nothing of the scenes."""
    name = min(scenes, key=lambda each: _projected_pixel_side(scenes[each], crs))
    finest = _projected_pixel_side(scenes[name], crs)
    coarser = resolution / finest
    if 1 / LARGEST_RATIO <= coarser <= LARGEST_RATIO and (coarser <= 1 or max(window.shape) >= LEAST_SIDE_PX):
        return
    unit = crs.proj.axis_info[0].unit_name
    raise GridError(
        f"mosaic.resolution {resolution:g} means pixels of {resolution:g} {unit} in {crs_name(crs)}, and the map would "
        f"have {window.height} x {window.width} px, but scene {name} has pixels of {finest:.4g} {unit}; set it in "
        f"units of the map's CRS, near {finest:.4g} ({finest / LARGEST_RATIO:.4g} to {finest * LARGEST_RATIO:.4g}), "
        "or to null for the finest scene's"
    )


def _crs(scenes: Mapping[str, GeoBox], settings: MosaicSettings) -> CRS:
    if settings.crs is not None:
        try:
            crs = without_height(CRS(settings.crs))
        except (pyproj.exceptions.CRSError, ValueError) as error:
            raise GridError(
                f"mosaic.crs {settings.crs!r} is not a valid CRS ({error}); write it as EPSG:32633"
            ) from None
        if (fault := crs_fault(crs)) is not None:
            raise GridError(f"mosaic.crs {settings.crs!r} {fault}; set it to a CRS for maps, such as EPSG:32633")
        return crs
    pixels: dict[CRS, int] = {}
    for geobox in scenes.values():
        crs = crs_of(geobox)
        pixels[crs] = pixels.get(crs, 0) + geobox.shape[0] * geobox.shape[1]
    return max(pixels, key=lambda crs: pixels[crs])


def _pixel_size(scenes: list[GeoBox], native: list[GeoBox], crs: CRS, settings: MosaicSettings) -> tuple[float, float]:
    """Return the pixel's width and height in units of the CRS."""
    if settings.resolution is not None:
        return settings.resolution, settings.resolution
    if native:
        return min((_own_pixel_size(geobox) for geobox in native), key=math.prod)
    side = min(_projected_pixel_side(geobox, crs) for geobox in scenes)
    if not math.isfinite(side):
        raise GridError(f"the scenes can't be projected to {crs}; set mosaic.crs to one that covers all of them")
    rounded = float(f"{side:.4g}")  # 10 m stay 10 m in the zone beside
    return rounded, rounded


def _own_pixel_size(geobox: GeoBox) -> tuple[float, float]:
    matrix = geobox.transform
    return math.hypot(matrix.a, matrix.d), math.hypot(matrix.b, matrix.e)


def _projected_pixel_side(geobox: GeoBox, crs: CRS) -> float:
    """Return the side of the square that has the area of the scene's centre pixel in another CRS."""
    y, x = geobox.shape[0] / 2, geobox.shape[1] / 2
    points = project(pixel_to_world(geobox, np.array([[x, y], [x + 1, y], [x, y + 1]])), geobox.crs, crs)
    points[:, 0] = in_turn(points[:, 0], points[0, 0], turn_of(crs))
    corner, right, down = points
    if not np.isfinite([corner, right, down]).all():
        return math.inf
    (a, d), (b, e) = right - corner, down - corner
    return math.sqrt(abs(a * e - b * d))


def _anchor(native: list[GeoBox], size: tuple[float, float], crs: CRS) -> GeoBox:
    """Return a one-pixel grid with which the region's grid is to be aligned."""
    multiples = GeoBox((1, 1), Affine(size[0], 0, 0, 0, -size[1], 0), crs)
    for geobox in sorted(native, key=lambda geobox: -geobox.shape[0] * geobox.shape[1]):
        matrix = geobox.transform
        if pixel_offset(geobox, GeoBox((1, 1), Affine(size[0], 0, matrix.c, 0, -size[1], matrix.f), crs)) == (0, 0):
            return GeoBox((1, 1), matrix, crs)
    return multiples


def _grown(frame: GeoBox, window: Window) -> GeoBox:
    if max(window.shape) > LARGEST_SIDE_PX:
        raise GridError(
            f"the region's grid would have {window.height} x {window.width} px; check mosaic.resolution and the "
            "scenes' CRS, or set mosaic.grid: scene"
        )
    matrix = frame.transform
    (x, y) = pixel_to_world(frame, np.array([[window.x0, window.y0]], np.float64))[0].tolist()
    return GeoBox(window.shape, Affine(matrix.a, matrix.b, x, matrix.d, matrix.e, y), frame.crs)


def pixel_offset(scene: GeoBox, grid: GeoBox) -> tuple[int, int] | None:
    """Return row and column of the grid where the scene's first pixel lies, or None if it has to be resampled.

    The scene's pixels are then the grid's pixels, to within 0.01 px over the whole scene.
    """
    if scene.crs != grid.crs:
        return None
    height, width = scene.shape
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64)
    moved = world_to_pixel(grid, pixel_to_world(scene, corners))
    if (turn_px := _turn_px(grid)) is not None:
        moved[:, 0] += in_turn(moved[:, 0].mean(), grid.shape[1] / 2, turn_px) - moved[:, 0].mean()
    moved -= corners
    x, y = np.round(moved[0])
    return (int(y), int(x)) if np.abs(moved - (x, y)).max() < TOLERANCE_PX else None


def footprint(scene: GeoBox, grid: GeoBox) -> Window:
    """Return the window of the grid that holds the scene; it may reach outside the grid."""
    extent = _extent(scene, grid)
    if (turn_px := _turn_px(grid)) is not None:
        middle = extent[[0, 2]].mean()
        extent[[0, 2]] += in_turn(middle, grid.shape[1] / 2, turn_px) - middle
    x0, y0 = (int(value) for value in np.floor(extent[:2] + TOLERANCE_PX))
    x1, y1 = (int(value) for value in np.ceil(extent[2:] - TOLERANCE_PX))
    return Window(y0, x0, y1 - y0, x1 - x0)


def pixels_on(target: GeoBox, source: GeoBox, points: Points) -> Points:
    """Return where pixels of a source lie on a target, in its pixels, at the turn nearest to the target's middle."""
    world = project(pixel_to_world(source, points), source.crs, target.crs)
    height, width = target.shape
    middle = pixel_to_world(target, np.array([[width / 2, height / 2]]))[0, 0]
    world[:, 0] = in_turn(world[:, 0], float(middle), turn_of(target.crs))
    return world_to_pixel(target, world)


def _extent(scene: GeoBox, grid: GeoBox) -> NDArray[np.float64]:
    """Return left, top, right and bottom of the scene in pixels of the grid; not finite if unprojectable.

    Where x returns, they are at the turn of the scene's middle.
    """
    points = _spread(scene, grid)
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def _spread(scene: GeoBox, grid: GeoBox) -> Points:
    """Return where rows of points spread over a scene, and poles within it, lie on a grid, in its pixels."""
    height, width = scene.shape
    along = np.linspace(0, 1, POINTS)
    x, y = np.meshgrid(along * width, along * height)
    world = project(pixel_to_world(scene, np.stack([x.ravel(), y.ravel()], axis=1)), scene.crs, grid.crs)
    turn = turn_of(grid.crs)
    if turn is not None:
        middle = float(world[len(world) // 2, 0])
        world[:, 0] = in_turn(world[:, 0], middle, turn)
        world = np.concatenate([world, *_poles_within(scene, grid, middle, turn)])
    return world_to_pixel(grid, world)


def _poles_within(scene: GeoBox, grid: GeoBox, middle: float, turn: float) -> list[Points]:
    """Return the ends of the parallels that are the poles within a scene, in another CRS of longitudes."""
    if scene.crs == grid.crs or turn_of(scene.crs) is not None:
        return []
    height, width = scene.shape
    poles = np.stack(from_degrees(crs_of(scene), np.zeros(2), np.array([90.0, -90])), axis=1)
    ends = np.stack(from_degrees(crs_of(grid), np.zeros(2), np.array([90.0, -90])), axis=1)[:, 1]
    inside = [bool(np.all((place >= 0) & (place <= (width, height)))) for place in world_to_pixel(scene, poles)]
    return [
        np.array([[middle - turn / 2, end], [middle + turn / 2, end]])
        for end, within in zip(ends, inside, strict=True)
        if within
    ]


def _check_whole(name: str, scene: GeoBox, grid: GeoBox) -> None:
    """Refuse a projection that tears a scene: its map would reach from one end of the world to the other."""
    if scene.crs == grid.crs or turn_of(grid.crs) is not None:
        return
    points = _spread(scene, grid).reshape(POINTS, POINTS, 2)
    for axis in (0, 1):
        steps = np.linalg.norm(np.diff(points, axis=axis), axis=-1)
        if steps.max() > TORN * max(float(np.median(steps)), TOLERANCE_PX):
            raise GridError(
                f"scene {name} is torn apart in {crs_name(crs_of(grid))}; "
                "set mosaic.crs to one that covers it in one piece"
            )


def _turn_px(grid: GeoBox) -> float | None:
    """Return how many columns a full circle of longitude has on an upright grid; None where x doesn't return."""
    turn = turn_of(grid.crs)
    return None if turn is None or grid.transform.b or grid.transform.d else turn / abs(grid.transform.a)


def project(points: Points, source: CRS | None, target: CRS | None) -> Points:
    """Return the points in another CRS; not finite where it is not defined. Equal or no CRS: the points themselves."""
    if source == target or source is None or target is None:
        return points
    transformer = transformer_between(source, target)
    return np.stack(transformer.transform(points[:, 0], points[:, 1]), axis=1)


def pixel_to_world(geobox: GeoBox, points: Points) -> Points:
    """Return coordinates in the grid's CRS of points given in pixels (x, y; a pixel's centre is at .5)."""
    return np.stack(applied(geobox.transform, points[:, 0], points[:, 1]), axis=1)


def world_to_pixel(geobox: GeoBox, points: Points) -> Points:
    """Return pixels (x, y) of points given in the grid's CRS."""
    return np.stack(applied(~geobox.transform, points[:, 0], points[:, 1]), axis=1)
