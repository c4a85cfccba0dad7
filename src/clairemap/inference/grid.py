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
from clairemap.grid.window import Window
from clairemap.settings import MosaicSettings

Points = NDArray[np.float64]
"""Points (n, 2): x, y."""

TOLERANCE_PX = 0.01
"""Grids that differ by less than this everywhere count as the same; a pixel edge this far out adds no pixel."""

EDGE_POINTS = 33
LARGEST_SIDE_PX = 2_000_000


def region_grid(scenes: Mapping[str, GeoBox], settings: MosaicSettings) -> GeoBox:
    """Return the grid that covers all scenes.

    Its CRS is the settings' or the one most pixels have (ties: the first scene's); its resolution the settings'
    or that of the finest scene in that CRS. Where scenes have just that CRS and resolution, the grid is theirs (the
    largest scene's, if they don't fit each other), so that they are copied without resampling; else its edges
    are multiples of the resolution. One scene without a CRS keeps its own pixel grid.

    Args:
        scenes: grids by scene name, at least one.
        settings: CRS and resolution, if the user sets them.

    Raises:
        GridError: scenes without a CRS can't be put together with others, or the CRS is unknown or unfit.
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
    spans = [_span(geobox, frame) for geobox in scenes.values()]
    if not np.isfinite(spans).all():
        raise GridError(f"the scenes can't be projected to {crs}; set mosaic.crs to one that covers all of them")
    x0, y0 = (min(span[axis] for span in spans) for axis in (0, 1))
    x1, y1 = (max(span[axis] for span in spans) for axis in (2, 3))
    return _grown(frame, Window(int(y0), int(x0), int(y1 - y0), int(x1 - x0)))


def _crs(scenes: Mapping[str, GeoBox], settings: MosaicSettings) -> CRS:
    if settings.crs is not None:
        try:
            return CRS(settings.crs)
        except pyproj.exceptions.CRSError as error:
            raise GridError(f"mosaic.crs {settings.crs!r} is no CRS ({error}); write it as EPSG:32633") from None
    pixels: dict[CRS, int] = {}
    for geobox in scenes.values():
        pixels[geobox.crs] = pixels.get(geobox.crs, 0) + geobox.shape[0] * geobox.shape[1]
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
    corner, right, down = project(pixel_to_world(geobox, np.array([[x, y], [x + 1, y], [x, y + 1]])), geobox.crs, crs)
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
    moved = world_to_pixel(grid, pixel_to_world(scene, corners)) - corners
    x, y = np.round(moved[0])
    return (int(y), int(x)) if np.abs(moved - (x, y)).max() < TOLERANCE_PX else None


def footprint(scene: GeoBox, grid: GeoBox) -> Window:
    """Return the window of the grid that holds the scene; it may reach outside the grid."""
    x0, y0, x1, y1 = (int(value) for value in _span(scene, grid))
    return Window(y0, x0, y1 - y0, x1 - x0)


def _span(scene: GeoBox, grid: GeoBox) -> NDArray[np.float64]:
    """Return left, top, right and bottom of the scene in whole pixels of the grid; not finite if unprojectable."""
    height, width = scene.shape
    along, zero, one = np.linspace(0, 1, EDGE_POINTS), np.zeros(EDGE_POINTS), np.ones(EDGE_POINTS)
    x = np.concatenate([along, along, zero, one]) * width
    y = np.concatenate([zero, one, along, along]) * height
    edge = pixel_to_world(scene, np.stack([x, y], axis=1))
    inside = world_to_pixel(grid, project(edge, scene.crs, grid.crs))
    low, high = inside.min(axis=0), inside.max(axis=0)
    return np.concatenate([np.floor(low + TOLERANCE_PX), np.ceil(high - TOLERANCE_PX)])


def project(points: Points, source: CRS | None, target: CRS | None) -> Points:
    """Return the points in another CRS; not finite where it is not defined. Equal or no CRS: the points themselves."""
    if source == target or source is None or target is None:
        return points
    transformer = pyproj.Transformer.from_crs(source.proj, target.proj, always_xy=True)
    return np.stack(transformer.transform(points[:, 0], points[:, 1]), axis=1)


def pixel_to_world(geobox: GeoBox, points: Points) -> Points:
    """Return coordinates in the grid's CRS of points given in pixels (x, y; a pixel's centre is at .5)."""
    return _applied(geobox.transform, points)


def world_to_pixel(geobox: GeoBox, points: Points) -> Points:
    """Return pixels (x, y) of points given in the grid's CRS."""
    return _applied(~geobox.transform, points)


def _applied(matrix: Affine, points: Points) -> Points:
    x, y = points[:, 0], points[:, 1]
    return np.stack([matrix.a * x + matrix.b * y + matrix.c, matrix.d * x + matrix.e * y + matrix.f], axis=1)
