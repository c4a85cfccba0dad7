"""Write the four files of a simulated scene: optical, SAR, label and cloud mask.

Files are written in bands of ``BAND_PX`` rows; memory is about 0.3 kB per pixel of a band.
"""

import functools
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.warp import transform_bounds

from clairemap.grid.coordinates import Coordinates, mesh_grid, pixel_to_world
from clairemap.grid.mesh import MESH_PX, node_weights, nodes_beyond
from clairemap.grid.points import Shift, Size
from clairemap.grid.tiles import row_bands
from clairemap.grid.window import Window
from clairemap.simulate import optics, radar
from clairemap.simulate.acquisition import DEMO, Acquisition
from clairemap.simulate.landscape import survey
from clairemap.simulate.layers import BAND_PX, CLOUD, LABEL, OPTICAL, SAR, grid_shape, new_raster, write
from clairemap.simulate.materials import SAR_BANDS
from clairemap.simulate.noise import Positions
from clairemap.simulate.stretch import to_bytes

WORLD_CRS = "EPSG:3035"
"""CRS of the landscape: equal-area Europe, metres."""

PIXEL_M = 10.0
_SAR_MARGIN_PX = 24
_MISREGISTERED_M = 2400.0  # wavelength of the displacement in addition to the recipe's
_SAR_EDGES = (0.05, 1.03)  # position of the footprint's edges at the top, as fractions of the width
_SAR_SLANT = -0.09  # shift of the edges at the bottom, likewise


@dataclass(frozen=True)
class SceneRecipe:
    """Parameters of a simulated scene."""

    name: str
    optical_crs: str  # projected, metres
    west_m: float
    north_m: float
    size_px: int
    sar_crs: str
    sar_pixel: Size[float]  # in units of `sar_crs`
    shift_px: Shift[float]
    """SAR content of optical pixel (x, y) is at (x+dx, y+dy)."""
    cloud_share: float
    swath: tuple[float, float]
    """Position of the west edge of the optical swath at the top and at the bottom, as fractions of the width."""
    acquisition: Acquisition = DEMO

    @property
    def optical_grid(self) -> GeoBox:
        """Grid of the optical file, the label and the cloud mask."""
        transform = Affine(PIXEL_M, 0, self.west_m, 0, -PIXEL_M, self.north_m)
        return GeoBox((self.size_px, self.size_px), transform, self.optical_crs)

    @property
    def sar_grid(self) -> GeoBox:
        """Grid of the SAR file; covers the optical grid with a margin."""
        side_m = self.size_px * PIXEL_M
        corners = (self.west_m, self.north_m - side_m, self.west_m + side_m, self.north_m)
        west, south, east, north = transform_bounds(self.optical_crs, self.sar_crs, *corners)
        height, width = self.sar_pixel
        west, north = west - _SAR_MARGIN_PX * width, north + _SAR_MARGIN_PX * height
        shape = (
            int((north - south) / height) + _SAR_MARGIN_PX,
            int((east - west) / width) + _SAR_MARGIN_PX,
        )
        return GeoBox(shape, Affine(width, 0, west, 0, -height, north), self.sar_crs)


def simulate_scene(recipe: SceneRecipe, folder: Path, seed: int, tags: Mapping[str, str]) -> None:
    """Write ``optical.tif``, ``label.tif``, ``cloud.tif`` and ``sar.tif``, each completely or not at all.

    The tags TRUE_DX_PX and TRUE_DY_PX of ``sar.tif`` have the true displacement, in optical pixels, without that of
    ``Acquisition.misregistered_px``.

    Args:
        recipe: the scene.
        folder: target folder; created if necessary.
        seed: seed of the landscape; scenes with the same seed agree where they overlap.
        tags: tags of all files.
    """
    _write_optical(recipe, folder, seed, tags)
    _write_sar(recipe, folder, seed, tags)
    how = recipe.acquisition
    to_bytes(folder / "optical.tif", recipe.optical_grid, OPTICAL, how.optical_stretch, tags, how.optical_white)
    to_bytes(folder / "sar.tif", recipe.sar_grid, SAR, how.sar_stretch, {**tags, **_true_shift(recipe)})


def _true_shift(recipe: SceneRecipe) -> dict[str, str]:
    return {"TRUE_DX_PX": repr(recipe.shift_px.dx), "TRUE_DY_PX": repr(recipe.shift_px.dy)}


def _scene_seed(recipe: SceneRecipe, seed: int) -> int:
    """Return the seed of the scene's sky, noise and speckle."""
    return seed * 7919 + sum((place + 1) * ord(letter) for place, letter in enumerate(recipe.name)) * 131


def _write_optical(recipe: SceneRecipe, folder: Path, seed: int, tags: Mapping[str, str]) -> None:
    grid = recipe.optical_grid
    own_seed = _scene_seed(recipe, seed)
    sky = optics.Sky.with_clouds(recipe.cloud_share, _coarse_positions(grid), own_seed, recipe.acquisition)
    with ExitStack() as files:
        optical = files.enter_context(new_raster(folder / "optical.tif", grid, OPTICAL, tags))
        label = files.enter_context(new_raster(folder / "label.tif", grid, LABEL, tags))
        cloud = files.enter_context(new_raster(folder / "cloud.tif", grid, CLOUD, tags))
        for window in row_bands((recipe.size_px, recipe.size_px), BAND_PX):
            outer = window.grown(optics.BLUR_MARGIN_PX)
            at = positions(grid, outer)
            ground = survey(at, seed)
            inner = window.relative_to(outer).slices
            values = optics.reflectance(ground, at, sky, seed, recipe.acquisition)[:, *inner]
            inside = _in_swath(recipe, window)
            write(optical, window, optics.digital_numbers(values, window, own_seed) * inside)
            write(label, window, ground.cover[inner] * inside)
            write(cloud, window, (optics.cloud_mask(at, sky)[inner] != optics.CLEAR) * inside)


def _write_sar(recipe: SceneRecipe, folder: Path, seed: int, tags: Mapping[str, str]) -> None:
    grid = recipe.sar_grid
    own_seed = _scene_seed(recipe, seed) + 1
    shape = grid_shape(grid)
    with new_raster(folder / "sar.tif", grid, SAR, {**tags, **_true_shift(recipe)}) as sar:
        for window in row_bands(shape, BAND_PX):
            outer = window.grown(radar.margin_px(recipe.acquisition))
            at = _displaced_positions(grid, outer, recipe)
            if reach_px := recipe.acquisition.misregistered_px:
                at = at.warped(_MISREGISTERED_M, reach_px * PIXEL_M, own_seed)
            ground = survey(at, seed)
            values = radar.simulated_backscatter(ground, at, seed, recipe.acquisition)
            values = values[:, *window.relative_to(outer).slices]
            speckled = values * radar.speckle(window, len(SAR_BANDS), own_seed)
            write(sar, window, np.where(_in_footprint(shape, window), speckled, np.nan))


def positions(grid: GeoBox, window: Window) -> Positions:
    """Return the positions of a window's pixel centres in `WORLD_CRS`, metres."""
    x, y = _mesh_nodes(grid, window)
    return _between_nodes(*_transformer(str(grid.crs), WORLD_CRS).transform(x, y), window)


def _coarse_positions(grid: GeoBox) -> Positions:
    """Return positions of a coarse mesh over a grid, for the level of the clouds."""
    x, y = _mesh_nodes(grid, Window.whole(tuple(int(size) for size in grid.shape)))  # type: ignore[arg-type]
    return Positions(*_transformer(str(grid.crs), WORLD_CRS).transform(x, y))


def _displaced_positions(grid: GeoBox, window: Window, recipe: SceneRecipe) -> Positions:
    """Return the positions that SAR shows at its pixels, given its georeferencing error."""
    dy, dx = recipe.shift_px
    x, y = _transformer(recipe.sar_crs, recipe.optical_crs).transform(*_mesh_nodes(grid, window))
    shown = x - dx * PIXEL_M, y + dy * PIXEL_M
    return _between_nodes(*_transformer(recipe.optical_crs, WORLD_CRS).transform(*shown), window)


@functools.cache
def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)


def _mesh_nodes(grid: GeoBox, window: Window) -> tuple[Coordinates, Coordinates]:
    """Return coordinates (x, y) in the grid's CRS of every `MESH_PX`-th pixel centre, in and just beyond a window."""
    rows = nodes_beyond(window.y0, window.height, MESH_PX) + 0.5
    columns = nodes_beyond(window.x0, window.width, MESH_PX) + 0.5
    return pixel_to_world(grid, *mesh_grid(rows, columns))


def _between_nodes(x: Coordinates, y: Coordinates, window: Window) -> Positions:
    down, across = node_weights(window.height, MESH_PX), node_weights(window.width, MESH_PX)
    return Positions(down @ x @ across.T, down @ y @ across.T)


def _in_swath(recipe: SceneRecipe, window: Window) -> NDArray[np.bool_]:
    """Return which pixels are east of the slanted edge of the optical swath."""
    top, bottom = recipe.swath
    rows = np.arange(window.y0, window.y1)[:, None] / recipe.size_px
    columns = np.arange(window.x0, window.x1)[None, :] / recipe.size_px
    return columns >= top + (bottom - top) * rows


def _in_footprint(shape: tuple[int, int], window: Window) -> NDArray[np.bool_]:
    """Return which pixels of the SAR grid are in the footprint, a slanted strip."""
    rows = np.arange(window.y0, window.y1)[:, None] / shape[0]
    columns = np.arange(window.x0, window.x1)[None, :] / shape[1]
    west, east = (edge + _SAR_SLANT * rows for edge in _SAR_EDGES)
    return (columns >= west) & (columns < east)
