"""How large the network's windows may be in the memory given: overlap costs more than all else, and shrinks with them.

The numbers for CPUs were measured with the environment that the rule sets (`MALLOC_…`, one thread of zarr's): so the
heap keeps what is freed, which takes a third off the time and adds to the memory. Those for GPUs are estimates.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from clairemap.nets.bundle import Bundle
from clairemap.raster.store import GridStore
from clairemap.settings import ALIGN_PX

log = logging.getLogger(__name__)

PROCESS_BYTES = 420e6
"""Python with its libraries, after a first run of a network, and some room. CUDA's own come on top: see the rule."""

WEIGHTS_FACTOR = 1.2
"""Bytes taken for each byte of the network's weights."""

SCRATCH_FACTOR = 2.0
"""What convolutions and the gaps of the heap take, over the bytes of the tensors: 2.5 at 1024 px, 1.7 at 2560 px."""

WINDOWS_ON_A_GPU = 2
"""Worked on at once by each GPU, so that one is computed while another is brought or fetched."""

GPU_SHARE = 0.8
"""Share of a GPU's free memory to plan with."""

SMALLEST_PX, LARGEST_PX = 2 * ALIGN_PX, 64 * ALIGN_PX
"""Sides tried; at the upper one overlap costs a tenth, and a window is a fair piece of work to lose in a crash."""


@dataclass(frozen=True)
class Budget:
    """What a mapping may take: `memory_mb` (10^6 bytes) on the host, and what is free on the GPUs it uses."""

    memory_mb: int
    gpus: Sequence[torch.device] = ()

    def fitting_window_px(self, bundle: Bundle, pair: GridStore, blend_px: int = 0) -> int:
        """Return the largest side of windows, a multiple of 128 px, that the memory allows; at least 256.

        Args:
            bundle: the network.
            pair: a scene.
            blend_px: if windows are blended, sums of a row of them are held as well.
        """
        weights = WEIGHTS_FACTOR * sum(weight.nbytes for weight in bundle.network.parameters())
        network = SCRATCH_FACTOR * bundle.card.working_bytes_per_px
        beside, sums = self._bytes_per_px_beside(bundle, pair), 4 * (len(bundle.card.classes) + 2)

        def on_host(side: int) -> float:
            blended = sums * side * (pair.shape[1] + 2 * side) if blend_px else 0
            return side**2 * (beside + (0 if self.gpus else network)) + blended

        side = _largest(on_host, 1e6 * self.memory_mb - PROCESS_BYTES - weights)
        for gpu in self.gpus:
            free, _ = torch.cuda.mem_get_info(gpu)
            side = min(side, _largest(lambda side: side**2 * WINDOWS_ON_A_GPU * network, GPU_SHARE * free))
        if side < SMALLEST_PX:
            log.warning(
                "%d MB are little for this network: windows of %d px may need more", self.memory_mb, SMALLEST_PX
            )
        return max(side, SMALLEST_PX)

    def _bytes_per_px_beside(self, bundle: Bundle, pair: GridStore) -> float:
        """Return what a window's pixel takes besides the network: values read ahead, results waiting to be written."""
        bands = sum(pair.array(name).shape[0] * pair.array(name).dtype.itemsize for name in ("optical", "sar"))
        flags, result = 3, len(bundle.card.classes) + 1
        if not self.gpus:
            return float(bands + flags + 2 * result)
        pinned = bands + 2
        return float(WINDOWS_ON_A_GPU * len(self.gpus) * (2 * (bands + flags) + pinned + 2 * result))


def _largest(needed: Callable[[int], float], available: float) -> int:
    """Return the largest side for which no more is needed than available; 0 if there is none."""
    sides = range(ALIGN_PX, LARGEST_PX + 1, ALIGN_PX)
    return max((side for side in sides if needed(side) <= available), default=0)
