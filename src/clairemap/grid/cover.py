"""Sliding windows for a network: cores that cover a scene once, each with a halo."""

from collections.abc import Iterator
from dataclasses import dataclass

from clairemap.grid.rounding import align_up
from clairemap.grid.window import Window


@dataclass(frozen=True)
class Step:
    """One run of the network on `outer`, which may extend beyond the scene; only `core` is kept."""

    outer: Window
    core: Window


@dataclass(frozen=True)
class WindowCover:
    """Layout of sliding windows with which the network's result does not depend on the tiling.

    All sizes and the origins of outer windows are multiples of `align_px`, so that strides and attention windows are at
    the same pixels in all of them.
    """

    core_px: int
    halo_px: int
    align_px: int

    @classmethod
    def fitting(cls, window_px: int, halo_px: int, align_px: int) -> "WindowCover":
        """Return the cover with outer windows of at most `window_px`, but at least one aligned core."""
        halo = align_up(halo_px, align_px)
        core = max((window_px - 2 * halo) // align_px, 1) * align_px
        return cls(core, halo, align_px)

    @property
    def outer_px(self) -> int:
        """Side of the network's input windows in pixels."""
        return self.core_px + 2 * self.halo_px

    def steps(self, part: Window, shape: tuple[int, int]) -> Iterator[Step]:
        """Yield the steps for a window of a grid, row by row.

        The cores cover each pixel of the window exactly once. Outer windows end at the scene's edge, rounded up to
        `align_px`, so that padding is minimal.

        Args:
            part: window that starts at multiples of `core_px` and ends at such multiples or at the grid's edge.
            shape: (height, width) of the whole grid.
        """
        for y0 in range(part.y0, part.y1, self.core_px):
            for x0 in range(part.x0, part.x1, self.core_px):
                core = Window(y0, x0, self.core_px, self.core_px).clipped(shape)
                top, bottom = self._reach(core.y0, core.y1, shape[0])
                left, right = self._reach(core.x0, core.x1, shape[1])
                yield Step(Window(top, left, bottom - top, right - left), core)

    def processed_px(self, shape: tuple[int, int]) -> int:
        """Return the number of input pixels for a grid of (height, width), including halos and padding."""
        height, width = (self._seen_along(size) for size in shape)
        return height * width

    def _seen_along(self, size: int) -> int:
        spans = (self._reach(start, min(start + self.core_px, size), size) for start in range(0, size, self.core_px))
        return sum(stop - start for start, stop in spans)

    def _reach(self, start: int, stop: int, size: int) -> tuple[int, int]:
        aligned_size = align_up(size, self.align_px)
        aligned_stop = align_up(stop, self.align_px)
        return max(0, start - self.halo_px), min(aligned_size, aligned_stop + self.halo_px)
