"""Sliding windows for a network: cores that cover a scene once, each with the halo that the network needs."""

from collections.abc import Iterator
from dataclasses import dataclass

from clairemap.grid.window import Window


@dataclass(frozen=True)
class Step:
    """One run of the network: `outer` goes in (may reach over the scene's edge), only `core` is kept."""

    outer: Window
    core: Window


@dataclass(frozen=True)
class Cover:
    """How a scene is cut for a network whose result is to be independent of the cut.

    Every outer window starts at a multiple of `align_px` of the scene's grid, so that strides and attention
    windows lie the same way in all of them; `halo_px` and `core_px` are multiples of `align_px`.
    """

    core_px: int
    halo_px: int
    align_px: int

    @classmethod
    def fitting(cls, window_px: int, halo_px: int, align_px: int) -> "Cover":
        """Return the cover with outer windows of at most `window_px`, but of one aligned core at the least."""
        halo = -(-halo_px // align_px) * align_px
        core = max((window_px - 2 * halo) // align_px, 1) * align_px
        return cls(core, halo, align_px)

    @property
    def outer_px(self) -> int:
        """Side of the windows that the network sees."""
        return self.core_px + 2 * self.halo_px

    def bands(self, shape: tuple[int, int]) -> Iterator[list[Step]]:
        """Yield the steps of a grid of (height, width), one list for each band of rows, top to bottom.

        The cores cover each pixel exactly once. Outer windows end where the scene does, rounded up to the
        alignment, so that no more is padded than the network's stride asks for.
        """
        for y0 in range(0, shape[0], self.core_px):
            yield [self._step(y0, x0, shape) for x0 in range(0, shape[1], self.core_px)]

    def _step(self, y0: int, x0: int, shape: tuple[int, int]) -> Step:
        core = Window(y0, x0, self.core_px, self.core_px).clipped(shape)
        top, bottom = self._reach(core.y0, core.y1, shape[0])
        left, right = self._reach(core.x0, core.x1, shape[1])
        return Step(Window(top, left, bottom - top, right - left), core)

    def _reach(self, start: int, stop: int, size: int) -> tuple[int, int]:
        aligned_size = -(-size // self.align_px) * self.align_px
        aligned_stop = -(-stop // self.align_px) * self.align_px
        return max(0, start - self.halo_px), min(aligned_size, aligned_stop + self.halo_px)
