"""Which windows of a grid lie near each other, and which stand apart with nothing in between."""

from collections.abc import Sequence
from dataclasses import dataclass

from clairemap.grid.window import Window

MIN_FILLED_SHARE = 0.25
"""Share of a window that what is put together in it has to cover at least."""

FAR_APART = 0.1
"""Share of a grid below which what lies on it counts as far apart."""


@dataclass(frozen=True)
class WindowGroup:
    """Windows near each other: the window around them, their indices, and how many pixels they have."""

    window: Window
    members: tuple[int, ...]
    px: int

    def merged(self, other: "WindowGroup") -> "WindowGroup":
        """Return the group of both, in the window around both."""
        return WindowGroup(around(self.window, other.window), (*self.members, *other.members), self.px + other.px)

    @property
    def filled(self) -> float:
        """Share of the window that its members cover, as if none overlapped; at most 1."""
        return min(1.0, self.px / max(1, self.window.height * self.window.width))


def group_windows(windows: Sequence[Window], weights: Sequence[int] | None = None) -> list[WindowGroup]:
    """Return the windows in groups, in the order of their first members, such that no two groups lie near each other.

    Two lie near each other if the window around both is filled by at least a quarter.

    Args:
        windows: none of them empty.
        weights: pixels of each that count as filled; without them all.
    """
    sizes = [window.height * window.width for window in windows] if weights is None else weights
    groups = [WindowGroup(window, (index,), px) for index, (window, px) in enumerate(zip(windows, sizes, strict=True))]
    before = 0
    while len(groups) != before:
        before, groups = len(groups), _merged_once(groups)
    return sorted(groups, key=lambda group: min(group.members))


def _merged_once(groups: Sequence[WindowGroup]) -> list[WindowGroup]:
    """Return the groups, each merged with the first before it that is near."""
    merged: list[WindowGroup] = []
    for group in groups:
        for index, other in enumerate(merged):
            both = other.merged(group)
            if both.filled >= MIN_FILLED_SHARE:
                merged[index] = both
                break
        else:
            merged.append(group)
    return merged


def far_apart(groups: Sequence[WindowGroup], shape: tuple[int, int]) -> bool:
    """Return whether there are several groups, which together cover little of a grid of (height, width)."""
    return len(groups) > 1 and filled_share(groups, shape) < FAR_APART


def filled_share(groups: Sequence[WindowGroup], shape: tuple[int, int]) -> float:
    """Return the share of a grid of (height, width) that groups cover, as if their members did not overlap."""
    return sum(group.filled * group.window.height * group.window.width for group in groups) / (shape[0] * shape[1])


def around(one: Window, other: Window) -> Window:
    """Return the smallest window that holds both."""
    y0, x0 = min(one.y0, other.y0), min(one.x0, other.x0)
    return Window(y0, x0, max(one.y1, other.y1) - y0, max(one.x1, other.x1) - x0)
