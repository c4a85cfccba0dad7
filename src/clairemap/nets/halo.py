"""The halo: the margin of a tile that inference discards because the cut edge affects its logits."""

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import functional

from clairemap.nets.claire import Claire, device_of
from clairemap.nets.fusion import reach_cells
from clairemap.nets.layers import ConvNextBlock
from clairemap.nets.sizes import Stage

log = logging.getLogger(__name__)

TOLERANCE_SIGMA = 1e-4
"""Largest accepted effect of a cut on a logit, in standard deviations of the logits."""

STRIP_HEIGHT_PX = 256
SCENE_FACTOR = 2.5
"""Safety factor, because larger images have larger extremes: strips 512 px high showed 0.9 to 2.1 times the effect of
strips 256 px high (size tiny, random weights)."""

Batch = tuple[Tensor, Tensor, Tensor, Tensor]
"""Optical, SAR, optical weight, SAR weight: the arguments of `Claire.forward`."""


@contextmanager
def full_precision() -> Iterator[None]:
    """Disable TF32 on GPUs while the context is open; no effect on a CPU.

    By default cuDNN rounds the inputs of convolutions to TF32 (relative error 5e-4). The result depends on the
    algorithm, which it chooses by window size, so a cut would change logits at any distance.
    """
    convolutions, products = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = convolutions, products


def theoretical_reach_px(network: Claire) -> int:
    """Return the distance in pixels beyond which a cut has no effect, for any weights.

    In practice the effect fades much earlier: see `measured_halo_px`.
    """
    encoded, decoded, longest = 0, network.stride, 0  # logits are extended by a cell into nodata
    for stage in network.size.stages:
        # One stride because a pixel may be anywhere in its cell, plus the stage's blocks.
        encoded += stage.stride + stage.depth * (ConvNextBlock.kernel // 2) * stage.stride
        # In the decoder, per stage: one cell of smoothing, one of interpolation.
        decoded += 2 * stage.stride
        longest = max(longest, encoded + _fusion_cells(network, stage) * stage.stride + decoded)
    return longest


def _fusion_cells(network: Claire, stage: Stage) -> int:
    name = network.settings.fusion
    if name == "early":
        return 0
    return reach_cells(name, stage) + (stage.window - 1 if name == "window" and stage.window else 0)


def measured_halo_px(network: Claire, length_px: int | None = None, seed: int = 0) -> tuple[int, float]:
    """Return the smallest sufficient halo in pixels, and the largest effect of a cut beyond it in deviations.

    A strip of synthetic texture is mapped whole and cut in two. The halo is the smallest multiple of `align_px` beyond
    which all differences times `SCENE_FACTOR` are at most `TOLERANCE_SIGMA` standard deviations. If even the longest
    halo in the strip is too short, it is returned and a warning is logged.

    Takes about 1 s for size tiny, 3 s for small, 10 s for base on one core.

    Args:
        network: on its device; its mode (training or evaluation) is restored.
        length_px: of the strip, a multiple of `align_px`; by default twice the theoretical reach.
        seed: of the texture.
    """
    align = network.align_px
    reach = math.ceil(theoretical_reach_px(network) / align) * align
    length = length_px or 2 * reach
    middle = length // 2 // align * align
    batch = _texture(network, STRIP_HEIGHT_PX, length, seed)
    whole = _float_logits(network, batch)
    near = [
        (whole[..., :middle] - _float_logits(network, _crop(batch, 0, middle))).flip(-1),
        whole[..., middle:] - _float_logits(network, _crop(batch, middle, length)),
    ]
    effect = SCENE_FACTOR * _largest_beyond(near, align) / whole.std()
    enough = [index for index, value in enumerate(effect.tolist()) if value <= TOLERANCE_SIGMA]
    chosen = enough[0] if enough else len(effect) - 1
    left = float(effect[chosen])
    if not enough:
        log.warning(
            "pixels beyond %d px, the longest halo tried, change logits by %.2g standard deviations (accepted: %g): "
            "maps may differ by that much between window sizes (inference.window_px)",
            chosen * align,
            left,
            TOLERANCE_SIGMA,
        )
    return chosen * align, left


def _largest_beyond(differences: list[Tensor], step: int) -> Tensor:
    """Return the largest |difference| at least 0, step, 2 step … px from the cut, which is at the left edge."""
    shown = min(difference.shape[-1] for difference in differences)
    worst = torch.stack([d.abs().amax(dim=(0, 1, 2))[:shown] for d in differences]).amax(0)
    return torch.stack([worst[start:].amax() for start in range(0, shown, step)])


def _float_logits(network: Claire, batch: Batch) -> Tensor:
    training = network.training
    network.eval()
    with torch.inference_mode(), full_precision():
        logits: Tensor = network(*batch).logits
    network.train(training)
    return logits.double()


def _crop(batch: Batch, start: int, stop: int) -> Batch:
    optical, sar, optical_weight, sar_weight = (x[..., start:stop] for x in batch)
    return optical, sar, optical_weight, sar_weight


def _texture(network: Claire, height: int, length: int, seed: int) -> Batch:
    """Return random fields of unit deviation with detail at several scales, and weights with clouds and gaps."""
    generator = torch.Generator().manual_seed(seed)
    optical_bands, sar_bands = network.bands

    def field(bands: int) -> Tensor:
        total = torch.zeros(1, bands, height, length)
        for cell in (1, 4, 16, 64):
            noise = torch.randn(1, bands, height // cell + 1, length // cell + 1, generator=generator)
            total += functional.interpolate(noise, size=(height, length), mode="bilinear", align_corners=False)
        return total / total.std()

    optical, sar = field(optical_bands), field(sar_bands)
    clear, inside = (field(1) < 1.5).float(), (field(1) < 2).float()
    device = device_of(network)
    return optical.to(device), sar.to(device), clear.to(device), inside.to(device)
