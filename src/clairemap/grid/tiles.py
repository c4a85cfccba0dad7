"""Division of a grid into tiles."""

from collections.abc import Iterator
from dataclasses import dataclass

from clairemap.grid.window import Window


@dataclass(frozen=True)
class Tile:
    """A tile: its row and column among the tiles, and its window, clipped to the grid."""

    row: int
    col: int
    window: Window


def tiles(shape: tuple[int, int], tile_px: int) -> Iterator[Tile]:
    """Yield the tiles of a grid of (height, width) row by row; each pixel is in exactly one tile."""
    for row, y0 in enumerate(range(0, shape[0], tile_px)):
        for col, x0 in enumerate(range(0, shape[1], tile_px)):
            yield Tile(row, col, Window(y0, x0, tile_px, tile_px).clipped(shape))


def row_bands(shape: tuple[int, int], band_px: int) -> Iterator[Window]:
    """Yield full-width windows of up to `band_px` rows from top to bottom."""
    for y0 in range(0, shape[0], band_px):
        yield Window(y0, 0, band_px, shape[1]).clipped(shape)
