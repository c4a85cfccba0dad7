"""Delivery as 8-bit images, stretched between percentiles of the scene or of each block of 256 px."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from clairemap.grid.tiles import tiles
from clairemap.grid.window import Window
from clairemap.raster.source import RasterSource
from clairemap.simulate.acquisition import Stretch
from clairemap.simulate.layers import RasterLayer, new_raster, write

BLOCK_PX = 256
PERCENTILES = (1.0, 99.0)
CLOUD_DN = 3500.0
"""Optical pixels of this mean over the bands or more are clouds, which do not count; SAR has no such values."""

LARGEST_SAMPLE_PX = 1024
"""Percentiles of a scene are those of at most about this many rows and columns."""

Values = NDArray[Any]


def to_bytes(
    path: Path, grid: GeoBox, layer: RasterLayer, by: Stretch, tags: Mapping[str, str], white: float = 1.0
) -> None:
    """Rewrite a raster as 8 bits, 1 to 255, with nodata 0; SAR in decibels first. With `none` it stays.

    Args:
        path: the raster, as written with `layer` on `grid`.
        grid: its grid.
        layer: its bands and type; floating-point numbers are linear power.
        by: what the percentiles are of.
        tags: tags of the new file.
        white: what becomes white: this many times the distance of the percentiles above the lower one.
    """
    if by == "none":
        return
    with RasterSource(path) as source:
        of_scene = _limits(_read(source, Window.whole(source.shape), layer), white)
        with new_raster(path, grid, replace(layer, dtype="uint8", nodata=0, predictor=2), tags) as target:
            for tile in tiles(source.shape, BLOCK_PX):
                values = _read(source, tile.window, layer)
                write(target, tile.window, _stretched(values, of_scene if by == "scene" else _limits(values, white)))


def _read(source: RasterSource, window: Window, layer: RasterLayer) -> Values:
    """Return the bands of a window, thinned if it is large, NaN where there is no data."""
    read = source.read(window, tuple(range(1, len(layer.bands) + 1)))
    step = -(-max(window.shape) // LARGEST_SAMPLE_PX)
    values, valid = read.values[:, ::step, ::step].astype(np.float64), read.valid[::step, ::step]
    with np.errstate(divide="ignore", invalid="ignore"):
        values = 10 * np.log10(values) if layer.dtype == "float32" else values
    return np.where(valid, values, np.nan)


def _limits(values: Values, white: float) -> Values:
    """Return the values of each band that become black and white, (2, band)."""
    known = values[:, np.isfinite(values).all(0) & (values.mean(0) < CLOUD_DN)]
    if not known.size:
        return np.tile([[0.0], [CLOUD_DN]], len(values))
    low, high = np.percentile(known, PERCENTILES, axis=1)
    return np.stack([low, low + white * (high - low)])


def _stretched(values: Values, limits: Values) -> Values:
    black, white = limits[:, :, None, None]
    scaled = 1 + 254 * np.clip((values - black) / np.maximum(white - black, 1e-6), 0, 1)
    return np.where(np.isfinite(values), np.rint(scaled), 0).astype(np.uint8)
