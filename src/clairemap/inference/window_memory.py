"""Memory of windows that are mapped on a CPU, from plain numbers: for the windows, and for the memory of the job.

The constants were measured with the environment of the rule (`MALLOC_…`, one zarr thread), in which the heap keeps
freed memory: a third faster, but more memory.
"""

from collections.abc import Callable
from dataclasses import dataclass

from clairemap.grid.rounding import align_up
from clairemap.settings import ALIGN_PX

PROCESS_BYTES = 420e6
"""Python with its libraries after the first forward pass, with a reserve; without CUDA (see the rule)."""

WEIGHTS_FACTOR = 1.2
"""Memory per byte of the network's weights."""

SCRATCH_FACTOR = 2.0
"""Memory of a forward pass, with heap fragmentation, divided by the size of its tensors. Measured: 1.8 to 1.9 for
windows of 1536, 2560 and 3584 px, 2.0 to 2.4 for 2048 px."""

SMALLEST_PX, LARGEST_PX = 2 * ALIGN_PX, 64 * ALIGN_PX
"""Range of window sides. At the upper end, overlap costs a tenth; larger windows would lose more work in a crash. A
scene that fits into one window uses one GPU."""

FLAG_BYTES_PER_PX = 3
"""Memory of the validity flags of a window being read."""


@dataclass(frozen=True)
class WindowMemory:
    """Memory in bytes for windows of `side` px with cores of `kept` px.

    `core_bytes_per_px` and `halo_bytes_per_px` are those of the model card, `input_bytes_per_px` is the size of a
    pixel of the scene with its flags, `tile_px` the side of a tile of its store.
    """

    core_bytes_per_px: float
    halo_bytes_per_px: float
    classes: int
    input_bytes_per_px: int
    tile_px: int

    def network(self, side: int, kept: int) -> float:
        """Return the memory of a forward pass."""
        return SCRATCH_FACTOR * (self.core_bytes_per_px * kept**2 + self.halo_bytes_per_px * (side**2 - kept**2))

    def input(self, side: int) -> int:
        """Return the memory of a window being read; up to one tile more is cached for the next one."""
        return self.input_bytes_per_px * side * (side + self.tile_px)

    def result(self, kept: int) -> int:
        """Return the memory of a core's probabilities and optical share."""
        return (self.classes + 1) * kept**2

    def on_cpu(self, side: int, kept: int) -> float:
        """Return the memory of windows being read ahead and mapped, and of results that wait to be written."""
        return self.network(side, kept) + 2 * (self.input(side) + self.result(kept))


def largest_window_px(
    shape: tuple[int, int], halo_px: int, largest_px: int, fits: Callable[[int, int], bool]
) -> int | None:
    """Return the largest side of windows for a scene of (height, width), a multiple of 128 px; None if none fits.

    If the scene fits into one window without a halo, the result is its longer side.

    Args:
        shape: (height, width) of the scene.
        halo_px: margin of a window that is discarded.
        largest_px: larger scenes are always divided.
        fits: whether the memory is enough for windows of a side with cores of another side.
    """
    whole = align_up(max(shape), ALIGN_PX)
    if whole <= largest_px and fits(whole, whole):
        return max(whole, SMALLEST_PX)
    sides = range(ALIGN_PX, min(largest_px, whole - ALIGN_PX) + 1, ALIGN_PX)
    return max((side for side in sides if fits(side, max(side - 2 * halo_px, 0))), default=None)
