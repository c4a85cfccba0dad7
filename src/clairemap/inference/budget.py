"""Largest windows that fit into memory: the larger the windows, the less time is spent on their overlap.

The CPU constants were measured with the environment of the rule (`MALLOC_…`, one zarr thread), in which the heap keeps
freed memory: a third faster, but more memory. The GPU constants are estimates.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from clairemap.grid.rounding import align_up
from clairemap.nets.bundle import Bundle
from clairemap.nets.strips import GPU_STRIP_VALUES
from clairemap.raster.store import GridStore
from clairemap.settings import ALIGN_PX

log = logging.getLogger(__name__)

PROCESS_BYTES = 420e6
"""Python with its libraries after the first forward pass, with a reserve; without CUDA (see the rule).

Measured, as opposed to `jobs.LIBRARIES_MB`, which is an upper bound for the libraries of all rules and cancels out in
the memory requested for predict_scene (`jobs.mapping_payload_mb`).
"""

WEIGHTS_FACTOR = 1.2
"""Memory per byte of the network's weights."""

SCRATCH_FACTOR = 2.0
"""Memory of a forward pass, with heap fragmentation, divided by the size of its tensors. Measured: 1.8 to 1.9 for
windows of 1536, 2560 and 3584 px, 2.0 to 2.4 for 2048 px."""

WINDOWS_ON_A_GPU = 2
"""Windows per GPU, so that one is computed while another is copied."""

GPU_STRIPS_BYTES = 6 * 4 * GPU_STRIP_VALUES
"""GPU memory of strips of rows, where images are large."""

GPU_WINDOW_PX, GPU_WINDOW_HALOS = 32 * ALIGN_PX, 16
"""Largest side of windows on GPUs, in pixels and in halos; the larger applies. Several windows are read, computed and
written at the same time: on an H200 a scene of 8192 x 8192 px took 3.1 s in windows of 4096 px and 4.1 s in one."""

PINNED_FACTOR = 2
"""Maximum pinned memory per byte requested: PyTorch rounds up to powers of two."""

GPU_SHARE = 0.8
"""Share of a GPU's free memory to plan with."""

SMALLEST_PX, LARGEST_PX = 2 * ALIGN_PX, 64 * ALIGN_PX
"""Range of window sides. At the upper end, overlap costs a tenth; larger windows would lose more work in a crash. A
scene that fits into one window uses one GPU."""


@dataclass(frozen=True)
class Budget:
    """Memory limits of mapping: `memory_mb` (10^6 bytes) on the host, and the free memory of the GPUs."""

    memory_mb: int
    gpus: Sequence[torch.device] = ()

    def fitting_window_px(self, bundle: Bundle, pair: GridStore, halo_px: int) -> int:
        """Return the largest side of windows, a multiple of 128 px, that the memory allows; at least 256.

        Args:
            bundle: the network.
            pair: a scene. If it fits into one window without a halo, the result is its longer side. Scenes larger
                than `LARGEST_PX` (on GPUs `GPU_WINDOW_PX` or `GPU_WINDOW_HALOS` halos) are always divided.
            halo_px: margin of a window that is discarded.
        """
        needed = _Needed(bundle, pair, self.gpus)
        weights = WEIGHTS_FACTOR * sum(weight.nbytes for weight in bundle.network.parameters())
        free_on_host = 1e6 * self.memory_mb - PROCESS_BYTES - weights
        free_on_gpus = [GPU_SHARE * torch.cuda.mem_get_info(gpu)[0] for gpu in self.gpus]

        def fits(side: int, kept: int) -> bool:
            on_gpu = needed.on_gpu(side, kept)
            return needed.on_host(side, kept) <= free_on_host and all(on_gpu <= free for free in free_on_gpus)

        whole, largest = align_up(max(pair.shape), ALIGN_PX), self._largest_px(halo_px)
        if whole <= largest and fits(whole, whole):
            return max(whole, SMALLEST_PX)
        sides = range(ALIGN_PX, min(largest, whole - ALIGN_PX) + 1, ALIGN_PX)
        side = max((side for side in sides if fits(side, max(side - 2 * halo_px, 0))), default=0)
        if side < SMALLEST_PX:
            log.warning(
                "%d MB may be too little for windows of %d px; increase compute.mapping_memory_mb",
                self.memory_mb,
                SMALLEST_PX,
            )
        return max(side, SMALLEST_PX)

    def _largest_px(self, halo_px: int) -> int:
        """Return the largest side to try, a multiple of 128 px."""
        on_gpus = max(GPU_WINDOW_PX, align_up(GPU_WINDOW_HALOS * halo_px, ALIGN_PX))
        return min(LARGEST_PX, on_gpus) if self.gpus else LARGEST_PX


@dataclass(frozen=True)
class _Needed:
    """Memory in bytes for windows of `side` px with cores of `kept` px."""

    bundle: Bundle
    pair: GridStore
    gpus: Sequence[torch.device]

    def on_host(self, side: int, kept: int) -> float:
        """Return the memory of windows being read ahead and mapped, and of results that wait to be written."""
        result = len(self.bundle.card.classes) + 1
        if not self.gpus:
            return self._network(side, kept) + 2 * (self._input(side) + result * kept**2)
        pinned = PINNED_FACTOR * (self._input_per_px * side**2 + 2 * result * kept**2)
        return float(WINDOWS_ON_A_GPU * len(self.gpus) * (2 * self._input(side) + pinned))

    def on_gpu(self, side: int, kept: int) -> float:
        """Return the memory of the windows on one GPU."""
        return WINDOWS_ON_A_GPU * (self._network(side, kept) + self._input_per_px * side**2 + GPU_STRIPS_BYTES)

    def _network(self, side: int, kept: int) -> float:
        card = self.bundle.card
        return SCRATCH_FACTOR * (card.core_bytes_per_px * kept**2 + card.halo_bytes_per_px * (side**2 - kept**2))

    def _input(self, side: int) -> int:
        return self._input_per_px * side * (side + self.pair.tile_px)  # up to one tile more is cached for the next one

    @property
    def _input_per_px(self) -> int:
        flags = 3
        arrays = (self.pair.array(name) for name in ("optical", "sar"))
        return sum(array.shape[0] * array.dtype.itemsize for array in arrays) + flags
