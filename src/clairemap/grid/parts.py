"""Which windows of a grid lie near each other, and which stand apart with nothing in between."""

from collections.abc import Sequence
from dataclasses import dataclass

from clairemap.grid.window import Window

LEAST_FILLED = 0.25
"""Share of a window that what is put together in it has to cover at least."""

FAR_APART = 0.1
"""Share of a grid below which what lies on it counts as far apart."""


@dataclass(frozen=True)
class Part:
    """A window that holds some others: which ones, and how many pixels they have."""

    window: Window
    members: tuple[int, ...]
    px: int

    def with_(self, other: "Part") -> "Part":
        """Return the part that holds both."""
        return Part(around(self.window, other.window), (*self.members, *other.members), self.px + other.px)

    @property
    def filled(self) -> float:
        """Share of the window that its members cover, as if none overlapped; at most 1."""
        return min(1.0, self.px / max(1, self.window.height * self.window.width))


def parts_of(windows: Sequence[Window], weights: Sequence[int] | None = None) -> list[Part]:
    """Return the windows in groups, in the order of their first members, such that no two groups lie near each other.

    Two lie near each other if the window around both is filled by at least a quarter.

    Args:
        windows: none of them empty.
        weights: pixels of each that count as filled; without them all.
    """
    sizes = [window.height * window.width for window in windows] if weights is None else weights
    parts = [Part(window, (index,), px) for index, (window, px) in enumerate(zip(windows, sizes, strict=True))]
    before = 0
    while len(parts) != before:
        before, parts = len(parts), _joined(parts)
    return sorted(parts, key=lambda part: min(part.members))


def _joined(parts: Sequence[Part]) -> list[Part]:
    """Return the parts, each put together with the first before it that lies near."""
    joined: list[Part] = []
    for part in parts:
        for index, other in enumerate(joined):
            both = other.with_(part)
            if both.filled >= LEAST_FILLED:
                joined[index] = both
                break
        else:
            joined.append(part)
    return joined


def far_apart(parts: Sequence[Part], shape: tuple[int, int]) -> bool:
    """Return whether there are several parts, which together cover little of a grid of (height, width)."""
    return len(parts) > 1 and filled_share(parts, shape) < FAR_APART


def filled_share(parts: Sequence[Part], shape: tuple[int, int]) -> float:
    """Return the share of a grid of (height, width) that parts cover, as if their members did not overlap."""
    return sum(part.filled * part.window.height * part.window.width for part in parts) / (shape[0] * shape[1])


def around(one: Window, other: Window) -> Window:
    """Return the smallest window that holds both."""
    y0, x0 = min(one.y0, other.y0), min(one.x0, other.x0)
    return Window(y0, x0, max(one.y1, other.y1) - y0, max(one.x1, other.x1) - x0)
