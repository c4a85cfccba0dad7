"""Making the four files of a simulated scene: optical, SAR, label and cloud mask.

Everything is a function of place or pixel, so files are written band of rows by band of rows: memory is bounded
by ``BAND_PX`` rows of the scene (about 0.3 kB for each of their pixels), whatever the scene's size.
"""

import functools
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio.io
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
from clairemap.provenance import written_whole
from clairemap.raster.opening import open_raster
from clairemap.raster.source import rasterio_window
from clairemap.simulate import optics, radar
from clairemap.simulate.landscape import survey
from clairemap.simulate.materials import OPTICAL_BANDS, SAR_BANDS
from clairemap.simulate.noise import Positions

WORLD_CRS = "EPSG:3035"
"""The plane in which the landscape lies: equal-area Europe, metres."""

PIXEL_M = 10.0
BAND_PX = 128
_SAR_MARGIN_PX = 24
_SAR_EDGES = (0.05, 1.03)  # where the footprint's edges meet the top, as shares of the width
_SAR_SLANT = -0.09  # how far they are moved at the bottom


@dataclass(frozen=True)
class _RasterLayer:
    bands: tuple[str, ...]
    dtype: str
    nodata: float | None
    predictor: int = 2  # of the compression: 2 for integers, 3 for floats


_OPTICAL = _RasterLayer(OPTICAL_BANDS, "uint16", 0)
_LABEL = _RasterLayer(("class",), "uint8", 0)
_CLOUD = _RasterLayer(("cloud",), "uint8", None)
_SAR = _RasterLayer(SAR_BANDS, "float32", float("nan"), predictor=3)


@dataclass(frozen=True)
class SceneRecipe:
    """What distinguishes one simulated scene from another."""

    name: str
    optical_crs: str  # projected, metres
    west_m: float
    north_m: float
    size_px: int
    sar_crs: str
    sar_pixel: Size[float]  # in units of `sar_crs`
    shift_px: Shift[float]
    """SAR content that belongs at optical pixel (x, y) lies at (x+dx, y+dy)."""
    cloud_share: float
    swath: tuple[float, float]
    """Where the west edge of the optical swath meets the top and the bottom, as shares of the width."""

    @property
    def optical_grid(self) -> GeoBox:
        """Grid of the optical file, the label and the cloud mask."""
        transform = Affine(PIXEL_M, 0, self.west_m, 0, -PIXEL_M, self.north_m)
        return GeoBox((self.size_px, self.size_px), transform, self.optical_crs)

    @property
    def sar_grid(self) -> GeoBox:
        """Grid of the SAR file: its own CRS and pixels, covering the optical grid with a margin."""
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
    """Write ``optical.tif``, ``label.tif``, ``cloud.tif`` and ``sar.tif`` into `folder`, each whole or not at all.

    The true displacement stands in the tags TRUE_DX_PX and TRUE_DY_PX of ``sar.tif``, in optical pixels.

    Args:
        recipe: the scene.
        folder: made if need be.
        seed: of the landscape; scenes of one seed show the same ground where they overlap.
        tags: written into all files.
    """
    _write_optical(recipe, folder, seed, tags)
    _write_sar(recipe, folder, seed, tags)


def _shape(grid: GeoBox) -> tuple[int, int]:
    height, width = grid.shape
    return int(height), int(width)


def _scene_seed(recipe: SceneRecipe, seed: int) -> int:
    """Return the seed of what belongs to one overpass: sky, noise and speckle."""
    return seed * 7919 + sum((place + 1) * ord(letter) for place, letter in enumerate(recipe.name)) * 131


def _write_optical(recipe: SceneRecipe, folder: Path, seed: int, tags: Mapping[str, str]) -> None:
    grid = recipe.optical_grid
    own_seed = _scene_seed(recipe, seed)
    sky = optics.Sky.with_clouds(recipe.cloud_share, _places_overview(grid), own_seed)
    with ExitStack() as files:
        optical = files.enter_context(_new_raster(folder / "optical.tif", grid, _OPTICAL, tags))
        label = files.enter_context(_new_raster(folder / "label.tif", grid, _LABEL, tags))
        cloud = files.enter_context(_new_raster(folder / "cloud.tif", grid, _CLOUD, tags))
        for window in row_bands((recipe.size_px, recipe.size_px), BAND_PX):
            outer = window.grown(optics.BLUR_MARGIN_PX)
            at = places(grid, outer)
            ground = survey(at, seed)
            inner = window.relative_to(outer).slices
            values = optics.reflectance(ground, at, sky, seed)[:, *inner]
            inside = _in_swath(recipe, window)
            _write(optical, window, optics.digitised(values, window, own_seed) * inside)
            _write(label, window, ground.cover[inner] * inside)
            _write(cloud, window, (optics.cloud_mask(at, sky)[inner] != optics.CLEAR) * inside)


def _write_sar(recipe: SceneRecipe, folder: Path, seed: int, tags: Mapping[str, str]) -> None:
    grid = recipe.sar_grid
    own_seed = _scene_seed(recipe, seed) + 1
    truth = {"TRUE_DX_PX": repr(recipe.shift_px.dx), "TRUE_DY_PX": repr(recipe.shift_px.dy)}
    shape = _shape(grid)
    with _new_raster(folder / "sar.tif", grid, _SAR, {**tags, **truth}) as sar:
        for window in row_bands(shape, BAND_PX):
            outer = window.grown(radar.SPECKLE_MARGIN_PX)
            at = _displaced_places(grid, outer, recipe)
            values = radar.simulated_backscatter(survey(at, seed), at, seed)[:, *window.relative_to(outer).slices]
            speckled = values * radar.speckle(window, len(SAR_BANDS), own_seed)
            _write(sar, window, np.where(_in_footprint(shape, window), speckled, np.nan))


def places(grid: GeoBox, window: Window) -> Positions:
    """Return where the pixels' centres of a window of a grid lie in the world, in metres."""
    x, y = _mesh_nodes(grid, window)
    return _between_nodes(*_transformer(str(grid.crs), WORLD_CRS).transform(x, y), window)


def _places_overview(grid: GeoBox) -> Positions:
    """Return the places of a coarse mesh over a grid: enough to choose the level of the clouds."""
    x, y = _mesh_nodes(grid, Window.whole(tuple(int(size) for size in grid.shape)))  # type: ignore[arg-type]
    return Positions(*_transformer(str(grid.crs), WORLD_CRS).transform(x, y))


def _displaced_places(grid: GeoBox, window: Window, recipe: SceneRecipe) -> Positions:
    """Return which places the SAR shows at its pixels, given that its georeferencing is off."""
    dy, dx = recipe.shift_px
    x, y = _transformer(recipe.sar_crs, recipe.optical_crs).transform(*_mesh_nodes(grid, window))
    shown = x - dx * PIXEL_M, y + dy * PIXEL_M
    return _between_nodes(*_transformer(recipe.optical_crs, WORLD_CRS).transform(*shown), window)


@functools.cache
def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)


def _mesh_nodes(grid: GeoBox, window: Window) -> tuple[Coordinates, Coordinates]:
    """Return coordinates (x, y) in the grid's CRS of every `MESH_PX`-th pixel centre of a window, and just beyond."""
    rows = nodes_beyond(window.y0, window.height, MESH_PX) + 0.5
    columns = nodes_beyond(window.x0, window.width, MESH_PX) + 0.5
    return pixel_to_world(grid, *mesh_grid(rows, columns))


def _between_nodes(x: Coordinates, y: Coordinates, window: Window) -> Positions:
    down, across = node_weights(window.height, MESH_PX), node_weights(window.width, MESH_PX)
    return Positions(down @ x @ across.T, down @ y @ across.T)


def _in_swath(recipe: SceneRecipe, window: Window) -> NDArray[np.bool_]:
    """Return which pixels lie east of the optical swath's slanted edge."""
    top, bottom = recipe.swath
    rows = np.arange(window.y0, window.y1)[:, None] / recipe.size_px
    columns = np.arange(window.x0, window.x1)[None, :] / recipe.size_px
    return columns >= top + (bottom - top) * rows


def _in_footprint(shape: tuple[int, int], window: Window) -> NDArray[np.bool_]:
    """Return which pixels of the SAR grid lie in its footprint, a slanted strip."""
    rows = np.arange(window.y0, window.y1)[:, None] / shape[0]
    columns = np.arange(window.x0, window.x1)[None, :] / shape[1]
    west, east = (edge + _SAR_SLANT * rows for edge in _SAR_EDGES)
    return (columns >= west) & (columns < east)


@contextmanager
def _new_raster(
    target: Path, grid: GeoBox, layer: _RasterLayer, tags: Mapping[str, str]
) -> Iterator[rasterio.io.DatasetWriter]:
    """Open a tiled GeoTIFF for writing; it takes its name when the block ends without an error."""
    height, width = _shape(grid)
    with (
        written_whole(target) as part,
        open_raster(
            part,
            "w",
            driver="GTiff",
            height=height,
            width=width,
            count=len(layer.bands),
            dtype=layer.dtype,
            crs=str(grid.crs),
            transform=grid.transform,
            nodata=layer.nodata,
            tiled=True,
            blockxsize=256,
            blockysize=BAND_PX,
            compress="deflate",
            predictor=layer.predictor,
        ) as raster,
    ):
        raster.update_tags(**tags)
        raster.descriptions = layer.bands
        yield raster


def _write(raster: rasterio.io.DatasetWriter, window: Window, values: NDArray[Any]) -> None:
    bands = values if values.ndim == 3 else values[None]
    raster.write(bands.astype(raster.dtypes[0]), window=rasterio_window(window))
