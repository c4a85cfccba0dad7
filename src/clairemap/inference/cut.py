"""How a scene is cut for the network, and how its store is cut to match."""

from dataclasses import dataclass

from clairemap.grid.cover import WindowCover
from clairemap.grid.rounding import align_up, ceil_div
from clairemap.settings import ALIGN_PX


@dataclass(frozen=True)
class Cut:
    """A cover and the shards that fit it: a shard is a core, or several whole ones."""

    cover: WindowCover
    shard_tiles: int


def cut_scene(shape: tuple[int, int], window_px: int, halo_px: int, tile_px: int) -> Cut:
    """Return how to cut a scene of (height, width) for windows of at most `window_px`.

    A scene that fits into one window is not cut, so it costs no halo. Else cores are whole tiles, or a whole fraction
    of a tile where the windows are smaller than that: each file of the store is then written once, as soon as its
    core is known. Of the sizes that fit it is the one for which the network sees the fewest pixels, and of equal ones
    the smallest.
    """
    aligned = align_up(max(shape), ALIGN_PX)
    if aligned <= window_px:
        return Cut(WindowCover(aligned, 0, ALIGN_PX), ceil_div(aligned, tile_px))
    largest = WindowCover.fitting(window_px, halo_px, ALIGN_PX)
    whole = range(tile_px, largest.core_px + 1, tile_px)
    fractions = (size for size in range(ALIGN_PX, largest.core_px + 1, ALIGN_PX) if tile_px % size == 0)
    covers = [WindowCover(size, largest.halo_px, ALIGN_PX) for size in whole or fractions]
    cover = min(covers, key=lambda cover: cover.seen_px(shape))
    return Cut(cover, max(cover.core_px // tile_px, 1))
