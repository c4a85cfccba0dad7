"""Which windows of a grid lie near each other, and which stand apart with nothing in between."""

from collections.abc import Sequence
from dataclasses import dataclass

from clairemap.grid.window import Window

LEAST_FILLED = 0.25
"""Share of a window that what is put together in it has to cover at least."""

MOST_WINDOWS = 256
"""Windows that are compared with each other; of more, those that follow each other are put together first."""

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
        """Share of the window that its members cover, as if none overlapped."""
        return self.px / (self.window.height * self.window.width)


def parts_of(windows: Sequence[Window], weights: Sequence[int] | None = None) -> list[Part]:
    """Return the windows in groups, in the order of their first members, such that no two groups lie near each other.

    Two lie near each other if the window around both is filled by at least a quarter.

    Args:
        windows: none of them empty.
        weights: pixels of each that count as filled; without them all.
    """
    sizes = [window.height * window.width for window in windows] if weights is None else weights
    parts = [Part(window, (index,), px) for index, (window, px) in enumerate(zip(windows, sizes, strict=True))]
    while len(parts) > MOST_WINDOWS:
        parts = [_all(parts[start : start + 2]) for start in range(0, len(parts), 2)]
    while len(parts) > 1:
        pairs = ((one.with_(other), one, other) for i, one in enumerate(parts) for other in parts[i + 1 :])
        both, one, other = max(pairs, key=lambda pair: pair[0].filled)
        if both.filled < LEAST_FILLED:
            break
        parts = [both if part is one else part for part in parts if part is not other]
    return sorted(parts, key=lambda part: min(part.members))


def _all(parts: Sequence[Part]) -> Part:
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.with_(part)
    return whole


def far_apart(parts: Sequence[Part], shape: tuple[int, int]) -> bool:
    """Return whether there are several parts, which together cover little of a grid of (height, width)."""
    return len(parts) > 1 and sum(part.px for part in parts) < FAR_APART * shape[0] * shape[1]


def around(one: Window, other: Window) -> Window:
    """Return the smallest window that holds both."""
    y0, x0 = min(one.y0, other.y0), min(one.x0, other.x0)
    return Window(y0, x0, max(one.y1, other.y1) - y0, max(one.x1, other.x1) - x0)
