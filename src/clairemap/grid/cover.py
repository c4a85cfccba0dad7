"""Sliding windows for a network: cores that cover a scene once, each with the halo that the network needs."""

from collections.abc import Iterator
from dataclasses import dataclass

from clairemap.grid.rounding import align_up
from clairemap.grid.window import Window


@dataclass(frozen=True)
class Step:
    """One run of the network: `outer` goes in (may reach over the scene's edge), only `core` is kept."""

    outer: Window
    core: Window


@dataclass(frozen=True)
class WindowCover:
    """How a scene is cut for a network whose result is to be independent of the cut.

    Every outer window starts at a multiple of `align_px` of the scene's grid, so that strides and attention
    windows lie the same way in all of them; `halo_px` and `core_px` are multiples of `align_px`.
    """

    core_px: int
    halo_px: int
    align_px: int

    @classmethod
    def fitting(cls, window_px: int, halo_px: int, align_px: int) -> "WindowCover":
        """Return the cover with outer windows of at most `window_px`, but of one aligned core at the least."""
        halo = align_up(halo_px, align_px)
        core = max((window_px - 2 * halo) // align_px, 1) * align_px
        return cls(core, halo, align_px)

    @property
    def outer_px(self) -> int:
        """Side of the windows that the network sees."""
        return self.core_px + 2 * self.halo_px

    def steps(self, part: Window, shape: tuple[int, int]) -> Iterator[Step]:
        """Yield the steps of a part of a grid of (height, width), row by row.

        The cores cover each pixel of the part exactly once. Outer windows end where the scene does, rounded up to the
        alignment, so that no more is padded than the network's stride asks for.

        Args:
            part: begins at multiples of `core_px`; ends at such, or where the grid does.
            shape: of the whole grid.
        """
        for y0 in range(part.y0, part.y1, self.core_px):
            for x0 in range(part.x0, part.x1, self.core_px):
                core = Window(y0, x0, self.core_px, self.core_px).clipped(shape)
                top, bottom = self._reach(core.y0, core.y1, shape[0])
                left, right = self._reach(core.x0, core.x1, shape[1])
                yield Step(Window(top, left, bottom - top, right - left), core)

    def seen_px(self, shape: tuple[int, int]) -> int:
        """Return how many pixels the network sees for a grid of (height, width), halos and padding included."""
        height, width = (self._seen_along(size) for size in shape)
        return height * width

    def _seen_along(self, size: int) -> int:
        spans = (self._reach(start, min(start + self.core_px, size), size) for start in range(0, size, self.core_px))
        return sum(stop - start for start, stop in spans)

    def _reach(self, start: int, stop: int, size: int) -> tuple[int, int]:
        aligned_size = align_up(size, self.align_px)
        aligned_stop = align_up(stop, self.align_px)
        return max(0, start - self.halo_px), min(aligned_size, aligned_stop + self.halo_px)
