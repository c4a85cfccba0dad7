"""Windows in which a scene is mapped, and matching shards of its store."""

from dataclasses import dataclass

from clairemap.grid.cover import WindowCover
from clairemap.grid.rounding import align_up, ceil_div
from clairemap.settings import ALIGN_PX


@dataclass(frozen=True)
class SceneWindows:
    """Windows of a scene and size of its shards; a shard consists of one or more whole cores."""

    cover: WindowCover
    shard_tiles: int


def scene_windows(shape: tuple[int, int], window_px: int, halo_px: int, tile_px: int) -> SceneWindows:
    """Return the windows, of at most `window_px`, for a scene of (height, width).

    A scene that fits into one window has no halo. Otherwise cores are multiples of a tile, or an integer fraction if
    windows are smaller than a tile, so that each file of the store is written once. The core size minimises the
    pixels that the network processes; ties go to the smallest.
    """
    aligned = align_up(max(shape), ALIGN_PX)
    if aligned <= window_px:
        return SceneWindows(WindowCover(aligned, 0, ALIGN_PX), ceil_div(aligned, tile_px))
    largest = WindowCover.fitting(window_px, halo_px, ALIGN_PX)
    whole = range(tile_px, largest.core_px + 1, tile_px)
    fractions = (size for size in range(ALIGN_PX, largest.core_px + 1, ALIGN_PX) if tile_px % size == 0)
    covers = [WindowCover(size, largest.halo_px, ALIGN_PX) for size in whole or fractions]
    cover = min(covers, key=lambda cover: cover.processed_px(shape))
    return SceneWindows(cover, max(cover.core_px // tile_px, 1))
