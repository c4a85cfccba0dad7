"""How large the network's windows may be in the memory given: overlap costs more than all else, and shrinks with them.

The numbers below were measured on a CPU with the environment that the rule sets (`MALLOC_…`, one thread of zarr's): so
the heap keeps what is freed, which takes a third off the time and adds to the memory.
"""

import logging

import torch

from clairemap.nets.bundle import Bundle
from clairemap.raster.store import GridStore
from clairemap.settings import ALIGN_PX

log = logging.getLogger(__name__)

PROCESS_BYTES = 420e6
"""Python with its libraries, after a first run of a network, and some room."""

WEIGHTS_FACTOR = 1.2
"""Bytes taken for each byte of the network's weights."""

SCRATCH_FACTOR = 2.0
"""What convolutions and the gaps of the heap take, over the bytes of the tensors: 2.5 at 1024 px, 1.7 at 2560 px."""

WINDOWS_ON_A_GPU = 2
"""Worked on at once by each GPU: while it computes one the next is brought and the last one fetched."""

GPU_SHARE = 0.8
"""Share of a GPU's free memory to plan with."""

SMALLEST_PX, LARGEST_PX = 2 * ALIGN_PX, 64 * ALIGN_PX
"""Sides tried; at the upper one overlap costs a tenth, and a window is a fair piece of work to lose in a crash."""


def fitting_window_px(bundle: Bundle, pair: GridStore, memory_mb: int) -> int:
    """Return the largest side of windows, a multiple of 128 px, that the memory allows; at least 256.

    Args:
        bundle: the network, on the device that it runs on.
        pair: a scene.
        memory_mb: what the process may take in all, in 10^6 bytes.
    """
    weights = WEIGHTS_FACTOR * sum(weight.nbytes for weight in bundle.network.parameters())
    network = SCRATCH_FACTOR * bundle.card.working_bytes_per_px
    device = next(iter(bundle.network.parameters()), torch.empty(0)).device
    beside = _bytes_per_px_beside(bundle, pair)
    host = 1e6 * memory_mb - PROCESS_BYTES - weights
    if device.type == "cpu":
        side = _side(host, beside + network)
    else:
        free, _ = torch.cuda.mem_get_info(device)
        in_gpu = _side(GPU_SHARE * free, WINDOWS_ON_A_GPU * network)
        side = min(in_gpu, _side(host, WINDOWS_ON_A_GPU * torch.cuda.device_count() * beside))
    if side < SMALLEST_PX:
        log.warning("%d MB are little for this network: windows of %d px may need more", memory_mb, SMALLEST_PX)
    return min(max(side, SMALLEST_PX), LARGEST_PX)


def _side(available: float, bytes_per_px: float) -> int:
    return int((max(available, 0) / bytes_per_px) ** 0.5) // ALIGN_PX * ALIGN_PX


def _bytes_per_px_beside(bundle: Bundle, pair: GridStore) -> float:
    """Return what one window's values, read while the network works, and two results take for each pixel."""
    bands = sum(pair.array(name).shape[0] * pair.array(name).dtype.itemsize for name in ("optical", "sar"))
    flags, result = 3, len(bundle.card.classes) + 1
    return float(bands + flags + 2 * result)
