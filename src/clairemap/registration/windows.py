"""Windows spread over a scene."""

from dataclasses import dataclass

import numpy as np

from clairemap.grid.window import Window


@dataclass(frozen=True)
class WindowLayout:
    """Windows of one size on a regular grid over a scene; `overlap` is the mean number of windows over a pixel."""

    windows: tuple[Window, ...]
    overlap: float


def spread_windows(shape: tuple[int, int], side: int, step: float, max_windows: int) -> WindowLayout:
    """Return at most `max_windows` windows, spread evenly, with origins at least `step` pixels apart."""
    height, width = min(side, shape[0]), min(side, shape[1])
    step = max(step, 1.0)
    while _count(shape[0], height, step) * _count(shape[1], width, step) > max_windows:
        step *= 1.05
    starts = [
        np.linspace(0, size - extent, _count(size, extent, step)).round().astype(int)
        for size, extent in zip(shape, (height, width), strict=True)
    ]
    windows = tuple(Window(int(y), int(x), height, width) for y in starts[0] for x in starts[1])
    covered = min(len(windows) * height * width, shape[0] * shape[1])
    return WindowLayout(windows, max(len(windows) * height * width / covered, 1.0))


def _count(size: int, extent: int, step: float) -> int:
    return int((size - extent) / step) + 1
