"""Groups of windows that are near each other on a grid."""

from collections.abc import Sequence
from dataclasses import dataclass

from clairemap.grid.window import Window

MIN_FILLED_SHARE = 0.25
"""Minimum share of a group's window that its members cover."""

FAR_APART = 0.1
"""Share of a grid below which the groups on it count as far apart."""


@dataclass(frozen=True)
class WindowGroup:
    """Windows near each other: the window that encloses them, their indices, and their number of pixels."""

    window: Window
    members: tuple[int, ...]
    px: int

    def merged(self, other: "WindowGroup") -> "WindowGroup":
        """Return the union of both groups."""
        return WindowGroup(
            enclosing_window(self.window, other.window), (*self.members, *other.members), self.px + other.px
        )

    @property
    def filled(self) -> float:
        """Share of the window that the members cover if none overlap; at most 1."""
        return min(1.0, self.px / max(1, self.window.height * self.window.width))


def group_windows(windows: Sequence[Window], weights: Sequence[int] | None = None) -> list[WindowGroup]:
    """Return groups of windows, in the order of their first members, so that no two groups are near each other.

    Two groups are near each other if they fill at least `MIN_FILLED_SHARE` of the window that encloses both.

    Args:
        windows: windows, none of them empty.
        weights: number of filled pixels per window; by default all.
    """
    sizes = [window.height * window.width for window in windows] if weights is None else weights
    groups = [WindowGroup(window, (index,), px) for index, (window, px) in enumerate(zip(windows, sizes, strict=True))]
    before = 0
    while len(groups) != before:
        before, groups = len(groups), _merged_once(groups)
    return sorted(groups, key=lambda group: min(group.members))


def _merged_once(groups: Sequence[WindowGroup]) -> list[WindowGroup]:
    """Return the groups, each merged with the first nearby group before it."""
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
    """Return whether there are several groups that together cover little of a grid of (height, width)."""
    return len(groups) > 1 and filled_share(groups, shape) < FAR_APART


def filled_share(groups: Sequence[WindowGroup], shape: tuple[int, int]) -> float:
    """Return the share of a grid of (height, width) that groups cover if their members do not overlap."""
    return sum(group.filled * group.window.height * group.window.width for group in groups) / (shape[0] * shape[1])


def enclosing_window(one: Window, other: Window) -> Window:
    """Return the smallest window that contains both."""
    y0, x0 = min(one.y0, other.y0), min(one.x0, other.x0)
    return Window(y0, x0, max(one.y1, other.y1) - y0, max(one.x1, other.x1) - x0)
