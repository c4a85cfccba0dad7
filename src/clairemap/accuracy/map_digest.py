"""Hash of what a land-cover map shows: its grid and its classes, not its file, whose tags name a version."""

import hashlib

import numpy as np

from clairemap.classes import MAP_NODATA
from clairemap.grid.tiles import tiles
from clairemap.raster.source import RasterSource

WINDOW_PX = 1024


def map_digest(source: RasterSource) -> str:
    """Return a hash that two maps share if their grids and the classes of all pixels are equal.

    Reads windows of 1024 x 1024 px that have data.

    Raises:
        UnreadableFileError: the map is damaged.
    """
    crs = source.geobox.crs
    digest = hashlib.sha256(f"{source.shape} {tuple(source.geobox.transform)[:6]} {crs and crs.to_wkt()}".encode())
    for tile in tiles(source.shape, WINDOW_PX):
        if not source.is_stored(tile.window):
            continue
        block = source.read(tile.window, (1,))
        if block.valid.any():
            digest.update(f"{tile.row} {tile.col} ".encode())
            digest.update(np.where(block.valid, block.values[0], MAP_NODATA).astype(np.uint8).tobytes())
    return digest.hexdigest()
