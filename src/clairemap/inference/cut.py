"""How a scene is cut for the network, and how its store is cut to match."""

from dataclasses import dataclass

from clairemap.grid.cover import Cover
from clairemap.settings import ALIGN_PX


@dataclass(frozen=True)
class Cut:
    """A cover and the shards that fit it: a band of shards is a whole number of bands of cores."""

    cover: Cover
    shard_tiles: int


def cut_scene(shape: tuple[int, int], window_px: int, halo_px: int, tile_px: int) -> Cut:
    """Return how to cut a scene of (height, width) for windows of about `window_px`.

    A scene that fits into one window is not cut, so it costs no halo. Else cores are whole tiles, or a whole
    fraction of a tile where the windows are smaller than that: each file of the store is then written once.
    """
    aligned = -(-max(shape) // ALIGN_PX) * ALIGN_PX
    if aligned <= window_px:
        return Cut(Cover(aligned, 0, ALIGN_PX), -(-aligned // tile_px))
    fitting = Cover.fitting(window_px, halo_px, ALIGN_PX)
    tiles = fitting.core_px // tile_px
    core_px = tiles * tile_px if tiles else _fraction(tile_px, fitting.core_px)
    return Cut(Cover(core_px, fitting.halo_px, ALIGN_PX), max(tiles, 1))


def _fraction(tile_px: int, largest_px: int) -> int:
    """Return the largest aligned size up to `largest_px` that divides the tile; tiles are aligned themselves."""
    return next(size for size in range(largest_px, 0, -ALIGN_PX) if tile_px % size == 0)
