"""Grid of a region's map, and positions of scenes on it."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyproj
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from shapely.geometry import shape

from clairemap.errors import GridError
from clairemap.grid.coordinates import Coordinates, mesh_grid, pixel_to_world, world_to_pixel
from clairemap.grid.earth import (
    crs_name,
    crs_of,
    crs_problem,
    from_degrees,
    pixel_to_crs,
    without_height,
    wrapped_x,
    x_period,
)
from clairemap.grid.mapping import period_px, whole_shift
from clairemap.grid.mesh import TOLERANCE_PX
from clairemap.grid.outline import outline_of_windows
from clairemap.grid.points import Shift, Size
from clairemap.grid.scale import plane_pixel_size, projected_pixel_side
from clairemap.grid.window import Window
from clairemap.settings import MosaicSettings

POINTS_ALONG_SIDE = 33
"""Points along each side of a scene used to find its extent on another grid."""

POLES_DEG = np.array([90.0, -90])

MAX_MAP_PX = 2_000_000

MAX_RATIO = 100.0
"""Largest ratio, in either direction, between the pixel sizes of the map and of the finest scene."""

OUTLINE_MARGIN_DEG = 0.1
"""Outlines are straight between 16 points on a side: they are widened by this much before they are compared."""

MIN_SIDE_PX = 8
"""Minimum length of the longer side of a map that is coarser than its scenes."""

DISCONTINUITY_RATIO = 50.0
"""A step between neighbouring points of a scene of this many times the median means a break in the projection."""


def region_grid(scenes: Mapping[str, GeoBox], settings: MosaicSettings) -> GeoBox:
    """Return the grid that covers all scenes.

    CRS: that of the settings, or of most pixels (ties: of the first scene). Resolution: that of the settings, or of
    the finest scene in that CRS. The grid is aligned with the largest scene of this CRS and resolution, so that aligned
    scenes are copied without resampling; without such a scene, its edges are multiples of the resolution. A single
    scene without a CRS keeps its pixel grid. Longitudes are shifted by full circles so that the map is as narrow as
    possible, also across 180 degrees.

    Args:
        scenes: grids by scene name, at least one.
        settings: CRS and resolution, or None for the defaults.

    Raises:
        GridError: several scenes of which one has no CRS, an invalid CRS or one not suited for maps, or a resolution
            that does not fit the scenes.
    """
    unplaced = [name for name, geobox in scenes.items() if geobox.crs is None]
    if unplaced and (len(scenes) > 1 or settings.crs is not None):
        raise GridError(
            f"scene(s) {', '.join(unplaced)} have no CRS and cannot be merged into one map; "
            "set mosaic.grid: scene (a map for each scene) and mosaic.crs: null"
        )
    if unplaced:
        return scenes[unplaced[0]]
    crs = _crs(scenes, settings)
    native = [geobox for geobox in scenes.values() if geobox.crs == crs]
    size = _pixel_size(list(scenes.values()), native, crs, settings)
    frame = _anchor(native, size, crs)
    extents = [_extent(geobox, frame) for geobox in scenes.values()]
    if not np.isfinite(extents).all():
        raise GridError(f"the scenes cannot be projected to {crs}; set mosaic.crs to a CRS that covers all of them")
    for name, geobox in scenes.items():
        _check_unbroken(name, geobox, frame)
    if (circle_px := period_px(frame)) is not None:
        largest = max(native or scenes.values(), key=lambda geobox: geobox.shape[0] * geobox.shape[1])
        fixed = list(scenes.values()).index(largest)
        starts, ends = np.array([(extent.x0, extent.x1) for extent in extents]).T
        turns = _turns(starts, ends, circle_px, fixed)
        extents = [extent.moved(circle_px * turn) for extent, turn in zip(extents, turns.tolist(), strict=True)]
    window = _union(extents).window()
    if settings.resolution is not None:
        _check_resolution(scenes, crs, settings.resolution, window)
    return _extended(frame, window)


def _turns(starts: NDArray[np.float64], ends: NDArray[np.float64], turn: float, fixed: int) -> NDArray[np.float64]:
    """Return the number of full circles by which to shift each interval so that all begin after the widest gap.

    The interval with index `fixed` is not shifted.
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
    """Raise an error if the resolution seems to be in another unit, or is too coarse for the scenes."""
    name = min(scenes, key=lambda each: projected_pixel_side(scenes[each], crs))
    finest = projected_pixel_side(scenes[name], crs)
    coarser = resolution / finest
    if 1 / MAX_RATIO <= coarser <= MAX_RATIO and (coarser <= 1 or max(window.shape) >= MIN_SIDE_PX):
        return
    unit = crs.proj.axis_info[0].unit_name
    raise GridError(
        f"mosaic.resolution {resolution:g} means pixels of {resolution:g} {unit} in {crs_name(crs)}, and the map would "
        f"have {window.height} x {window.width} px, but scene {name} has pixels of {finest:.4g} {unit}; set it in "
        f"units of the map's CRS, near {finest:.4g} ({finest / MAX_RATIO:.4g} to {finest * MAX_RATIO:.4g}), "
        "or to null for the resolution of the finest scene"
    )


def _crs(scenes: Mapping[str, GeoBox], settings: MosaicSettings) -> CRS:
    if settings.crs is not None:
        try:
            crs = without_height(CRS(settings.crs))
        except (pyproj.exceptions.CRSError, ValueError) as error:
            raise GridError(
                f"mosaic.crs {settings.crs!r} is not a valid CRS ({error}): use a code such as EPSG:32633"
            ) from None
        if (fault := crs_problem(crs)) is not None:
            raise GridError(f"mosaic.crs {settings.crs!r} {fault}; use a code such as EPSG:32633")
        return crs
    pixels: dict[CRS, int] = {}
    for geobox in scenes.values():
        crs = crs_of(geobox)
        pixels[crs] = pixels.get(crs, 0) + geobox.shape[0] * geobox.shape[1]
    return max(pixels, key=lambda crs: pixels[crs])


def _pixel_size(scenes: list[GeoBox], native: list[GeoBox], crs: CRS, settings: MosaicSettings) -> Size[float]:
    """Return the pixel height and width in units of the CRS."""
    if settings.resolution is not None:
        return Size(settings.resolution, settings.resolution)
    if native:
        return min((plane_pixel_size(geobox) for geobox in native), key=math.prod)
    side = min(projected_pixel_side(geobox, crs) for geobox in scenes)
    if not math.isfinite(side):
        raise GridError(f"the scenes cannot be projected to {crs}; set mosaic.crs to a CRS that covers all of them")
    rounded = float(f"{side:.4g}")  # 10 m remain 10 m in the neighbouring UTM zone
    return Size(rounded, rounded)


def _anchor(native: list[GeoBox], size: Size[float], crs: CRS) -> GeoBox:
    """Return a one-pixel grid to align the region's grid with."""
    multiples = GeoBox((1, 1), Affine(size.width, 0, 0, 0, -size.height, 0), crs)
    for geobox in sorted(native, key=lambda geobox: -geobox.shape[0] * geobox.shape[1]):
        matrix = geobox.transform
        upright = GeoBox((1, 1), Affine(size.width, 0, matrix.c, 0, -size.height, matrix.f), crs)
        if pixel_offset(geobox, upright) == (0, 0):
            return GeoBox((1, 1), matrix, crs)
    return multiples


def _extended(frame: GeoBox, window: Window) -> GeoBox:
    if max(window.shape) > MAX_MAP_PX:
        raise GridError(
            f"the map would have {window.height} x {window.width} px; check mosaic.resolution and the "
            "scenes' CRS, or set mosaic.grid: scene"
        )
    matrix = frame.transform
    x, y = (float(each) for each in pixel_to_world(frame, float(window.y0), float(window.x0)))
    return GeoBox(window.shape, Affine(matrix.a, matrix.b, x, matrix.d, matrix.e, y), frame.crs)


def pixel_offset(scene: GeoBox, grid: GeoBox) -> Shift[int] | None:
    """Return the offset of the scene's pixels on the grid, or None if the scene has to be resampled.

    An offset is returned if the pixels of scene and grid coincide within 0.01 px over the whole scene.
    """
    if scene.crs != grid.crs:
        return None
    height, width = scene.shape
    y, x = np.array([0.0, 0, height, height]), np.array([0.0, width, 0, width])
    grid_y, grid_x = world_to_pixel(grid, *pixel_to_world(scene, y, x))
    if (circle_px := period_px(grid)) is not None:
        middle = np.array(grid_x.mean())
        grid_x = grid_x + (wrapped_x(middle, grid.shape[1] / 2, circle_px) - middle)
    return whole_shift((y, x), (grid_y, grid_x))


def footprint(scene: GeoBox, grid: GeoBox) -> Window:
    """Return the window of the grid that contains the scene; it may extend beyond the grid."""
    extent = _extent(scene, grid)
    if (circle_px := period_px(grid)) is not None:
        middle = np.array((extent.x0 + extent.x1) / 2)
        extent = extent.moved(float(wrapped_x(middle, grid.shape[1] / 2, circle_px) - middle))
    return extent.window()


def reached_window(scene: GeoBox, grid: GeoBox) -> Window:
    """Return the window of the grid that any scene on the Earth may reach; empty if it is elsewhere.

    Unlike `footprint`, for scenes that may lie outside the projection of the grid; then it may be too large.
    """
    if np.isfinite(_extent(scene, grid)).all():
        return footprint(scene, grid).clipped((int(grid.shape[0]), int(grid.shape[1])))
    whole = [Window.whole(each.shape.yx) for each in (scene, grid)]
    outlines = [outline_of_windows(of, [window]) for of, window in zip((scene, grid), whole, strict=True)]
    ground = [shapely.buffer(shape(each.geometry), OUTLINE_MARGIN_DEG) for each in outlines if each is not None]
    reaches = len(ground) == 2 and ground[0].intersects(ground[1])
    return whole[1] if reaches else Window(0, 0, 0, 0)


class _Extent(NamedTuple):
    """Rectangle in pixels of a grid: upper left and lower right corner."""

    y0: float
    x0: float
    y1: float
    x1: float

    def moved(self, columns: float) -> "_Extent":
        """Return the rectangle shifted to the right."""
        return self._replace(x0=self.x0 + columns, x1=self.x1 + columns)

    def window(self) -> Window:
        """Return the pixels that it overlaps by more than `TOLERANCE_PX`."""
        y0, x0 = (math.floor(start + TOLERANCE_PX) for start in (self.y0, self.x0))
        y1, x1 = (math.ceil(stop - TOLERANCE_PX) for stop in (self.y1, self.x1))
        return Window(y0, x0, y1 - y0, x1 - x0)


def _union(extents: Sequence[_Extent]) -> _Extent:
    """Return the smallest rectangle that contains all extents."""
    y0, x0, y1, x1 = zip(*extents, strict=True)
    return _Extent(min(y0), min(x0), max(y1), max(x1))


def _extent(scene: GeoBox, grid: GeoBox) -> _Extent:
    """Return the extent of the scene in pixels of the grid; not finite if it cannot be projected.

    Longitudes are those nearest to the scene's centre.
    """
    y, x = _sample_points(scene, grid)
    return _Extent(float(y.min()), float(x.min()), float(y.max()), float(x.max()))


def _sample_points(scene: GeoBox, grid: GeoBox) -> tuple[Coordinates, Coordinates]:
    """Return the positions (y, x) on a grid of evenly spaced points of a scene, row by row, and of poles in it."""
    height, width = scene.shape
    along = np.linspace(0, 1, POINTS_ALONG_SIDE)
    y, x = (each.ravel() for each in mesh_grid(along * height, along * width))
    world_x, world_y = pixel_to_crs(scene, grid.crs, y, x)
    turn = x_period(grid.crs)
    if turn is not None:
        middle = float(world_x[len(world_x) // 2])
        world_x = wrapped_x(world_x, middle, turn)
        poles = _poles_within(scene, grid)
        world_x = np.concatenate([world_x, np.repeat([[middle - turn / 2, middle + turn / 2]], len(poles), 0).ravel()])
        world_y = np.concatenate([world_y, np.repeat(poles, 2)])
    return world_to_pixel(grid, world_x, world_y)


def _poles_within(scene: GeoBox, grid: GeoBox) -> Coordinates:
    """Return the y coordinates, in the CRS of the grid, of poles within a scene in another CRS."""
    if scene.crs == grid.crs or x_period(scene.crs) is not None:
        return np.empty(0)
    height, width = scene.shape
    y, x = world_to_pixel(scene, *from_degrees(crs_of(scene), np.zeros(2), POLES_DEG))
    _, ends = from_degrees(crs_of(grid), np.zeros(2), POLES_DEG)
    within: Coordinates = ends[(y >= 0) & (y <= height) & (x >= 0) & (x <= width)]
    return within


def _check_unbroken(name: str, scene: GeoBox, grid: GeoBox) -> None:
    """Raise an error if a scene crosses a break of the projection: its map would span the whole world."""
    if scene.crs == grid.crs or x_period(grid.crs) is not None:
        return
    points = np.stack(_sample_points(scene, grid), axis=-1).reshape(POINTS_ALONG_SIDE, POINTS_ALONG_SIDE, 2)
    for axis in (0, 1):
        steps = np.linalg.norm(np.diff(points, axis=axis), axis=-1)
        if steps.max() > DISCONTINUITY_RATIO * max(float(np.median(steps)), TOLERANCE_PX):
            raise GridError(
                f"scene {name} crosses a break of the projection {crs_name(crs_of(grid))}; "
                "set mosaic.crs to a CRS that covers the scene without a break"
            )
