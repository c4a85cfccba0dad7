"""One window through the network, and what is kept of it."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clairemap.inference.probabilities import SHARE_NODATA
from clairemap.inference.reading import Reading
from clairemap.inference.writing import CoreResult
from clairemap.nets.bundle import BundleCard
from clairemap.nets.claire import Claire, device_of
from clairemap.nets.probability import upsampled_probability
from clairemap.settings import Precision


@torch.inference_mode()
def map_core(network: Claire, card: BundleCard, precision: Precision, reading: Reading) -> CoreResult:
    """Return the result in a window's core.

    Args:
        network: in evaluation mode, on any device.
        card: says how to treat what goes in and comes out.
        precision: that the network computes with; probabilities are made in float32 in any case.
        reading: the window.
    """
    device = device_of(network)
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        logits, share = network.cells(
            card.optical_bands.normalise(_batch(reading.optical, device)),
            card.sar_bands.normalise(_batch(reading.sar, device)),
            _batch(reading.optical_usable[None], device).float(),
            _batch(reading.sar_usable[None], device).float(),
        )
    height, core = reading.step.outer.height, reading.step.core.relative_to(reading.step.outer)
    optical, sar = reading.optical_usable[core.slices], reading.sar_usable[core.slices]
    percent = _percent(share[0, 0], height // share.shape[-2], core.slices)
    percent[~optical] = 0  # where just one sensor is usable it is all of the result
    percent[~sar] = 100
    probability = upsampled_probability(logits[0], *core.slices, height // logits.shape[-2], card.temperature)
    unmapped = ~(optical | sar)
    if unmapped.any():
        percent[unmapped] = SHARE_NODATA
        probability *= ~unmapped
    return CoreResult(reading.step.core, probability, percent)


def _batch(values: NDArray[np.generic], device: torch.device) -> Tensor:
    batch = torch.from_numpy(values)[None]
    return batch if device.type == "cpu" else batch.pin_memory().to(device, non_blocking=True)


def _percent(share: Tensor, stride: int, pixels: tuple[slice, slice]) -> NDArray[np.uint8]:
    """Return for each pixel the share of its cell, in percent."""
    rows, columns = (slice(part.start // stride, -(-part.stop // stride)) for part in pixels)
    cells = share[rows, columns].float().mul(100).round().to(torch.uint8).cpu().numpy()
    spread = cells.repeat(stride, axis=0).repeat(stride, axis=1)
    wanted = tuple(slice(part.start % stride, part.start % stride + part.stop - part.start) for part in pixels)
    return np.ascontiguousarray(spread[wanted])
