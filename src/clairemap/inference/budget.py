"""Largest windows that fit into memory: the larger the windows, the less time is spent on their overlap.

The constants for CPUs are in `window_memory`; those for GPUs are estimates.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from clairemap.grid.rounding import align_up
from clairemap.inference.window_memory import (
    FLAG_BYTES_PER_PX,
    LARGEST_PX,
    PROCESS_BYTES,
    SMALLEST_PX,
    WEIGHTS_FACTOR,
    WindowMemory,
    largest_window_px,
)
from clairemap.nets.bundle import Bundle
from clairemap.nets.strips import GPU_STRIP_VALUES
from clairemap.raster.store import GridStore
from clairemap.settings import ALIGN_PX

log = logging.getLogger(__name__)

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
        needed = _Needed.of(bundle, pair, self.gpus)
        weights = WEIGHTS_FACTOR * sum(weight.nbytes for weight in bundle.network.parameters())
        free_on_host = 1e6 * self.memory_mb - PROCESS_BYTES - weights
        free_on_gpus = [GPU_SHARE * torch.cuda.mem_get_info(gpu)[0] for gpu in self.gpus]

        def fits(side: int, kept: int) -> bool:
            on_gpu = needed.on_gpu(side, kept)
            return needed.on_host(side, kept) <= free_on_host and all(on_gpu <= free for free in free_on_gpus)

        side = largest_window_px(pair.shape, halo_px, self._largest_px(halo_px), fits) or 0
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

    windows: WindowMemory
    gpus: Sequence[torch.device]

    @classmethod
    def of(cls, bundle: Bundle, pair: GridStore, gpus: Sequence[torch.device]) -> "_Needed":
        """Return the memory for mapping a scene with a network."""
        card, arrays = bundle.card, (pair.array(name) for name in ("optical", "sar"))
        pixel = sum(array.shape[0] * array.dtype.itemsize for array in arrays) + FLAG_BYTES_PER_PX
        windows = WindowMemory(card.core_bytes_per_px, card.halo_bytes_per_px, len(card.classes), pixel, pair.tile_px)
        return cls(windows, gpus)

    def on_host(self, side: int, kept: int) -> float:
        """Return the memory of windows being read ahead and mapped, and of results that wait to be written."""
        if not self.gpus:
            return self.windows.on_cpu(side, kept)
        pinned = PINNED_FACTOR * (self.windows.input_bytes_per_px * side**2 + 2 * self.windows.result(kept))
        return float(WINDOWS_ON_A_GPU * len(self.gpus) * (2 * self.windows.input(side) + pinned))

    def on_gpu(self, side: int, kept: int) -> float:
        """Return the memory of the windows on one GPU."""
        inputs = self.windows.input_bytes_per_px * side**2
        return WINDOWS_ON_A_GPU * (self.windows.network(side, kept) + inputs + GPU_STRIPS_BYTES)
