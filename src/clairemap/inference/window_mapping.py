"""Run the network on one window and keep the result in its core."""

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clairemap.artefacts.model_card import BandScale, ModelCard
from clairemap.classes import SHARE_NODATA
from clairemap.grid.window import Window
from clairemap.inference.reading import WindowInput
from clairemap.inference.writing import CoreResult
from clairemap.nets.claire import Claire, device_of
from clairemap.nets.image import Image
from clairemap.nets.normalisation import normalise
from clairemap.nets.probability import upsampled_probability
from clairemap.settings import Precision
from clairemap.validity import Mask


@torch.inference_mode()
def map_window(network: Claire, card: ModelCard, precision: Precision, reading: WindowInput) -> CoreResult:
    """Return the result in a window's core.

    Args:
        network: in evaluation mode, on any device.
        card: normalisation of the bands and temperature of the probabilities.
        precision: of the network; probabilities are computed in float32.
        reading: the window.
    """
    device = device_of(network)
    core = reading.step.core.relative_to(reading.step.outer)
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        found = network.cells(
            _image(reading.optical, reading.optical_usable, card.optical_bands, device),
            _image(reading.sar, reading.sar_usable, card.sar_bands, device),
            core,
        )
    logits, share, cells = found.logits, found.optical_share, found.window
    optical, sar = reading.optical_usable[core.slices], reading.sar_usable[core.slices]
    pixels = core.relative_to(cells.refined(network.stride))
    percent = _percent(share[0, 0], network.stride, pixels)
    percent[~optical] = 0  # a pixel with one usable sensor depends on that sensor alone
    percent[~sar] = 100
    probability = upsampled_probability(logits[0], pixels, network.stride, card.temperature)
    unmapped = ~(optical | sar)
    if unmapped.any():
        percent[unmapped] = SHARE_NODATA
        probability *= ~unmapped
    return CoreResult(reading.step.core, probability, percent)


def _image(bands: NDArray[np.generic], usable: Mask, scale: BandScale, device: torch.device) -> Image:
    return Image(_batch(bands, device), _batch(usable[None], device), partial(normalise, scale=scale))


def _batch(values: NDArray[np.generic], device: torch.device) -> Tensor:
    batch = torch.from_numpy(values)[None]
    if device.type == "cpu":
        return batch
    # A dense copy: `pin_memory` would keep the gaps of a part of an array, and those are not copied side by side.
    pinned = torch.empty(batch.shape, dtype=batch.dtype, pin_memory=True).copy_(batch)
    return pinned.to(device, non_blocking=True)


def _percent(share: Tensor, stride: int, window: Window) -> NDArray[np.uint8]:
    """Return the share of each pixel's cell, in percent."""
    cells = window.coarsened(stride)
    percent = share[cells.slices].float().mul(100).round().to(torch.uint8).cpu().numpy()
    spread = percent.repeat(stride, axis=0).repeat(stride, axis=1)
    return np.ascontiguousarray(spread[window.relative_to(cells.refined(stride)).slices])
