"""How far a cut is felt: the margin of a tile that inference throws away."""

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
"""Largest accepted effect of a cut on a logit, in standard deviations of the scene's logits."""

STRIP_HEIGHT_PX = 256
SCENE_FACTOR = 2.5
"""Room for a scene's extremes, which exceed a strip's: 512 px high strips showed 0.9 to 2.1 times the effect of 256 px
high ones (tiny with random weights, two textures)."""

Batch = tuple[Tensor, Tensor, Tensor, Tensor]
"""Optical, SAR and their weights, as `Claire.forward` takes them."""


@contextmanager
def full_precision() -> Iterator[None]:
    """Compute float32 as float32 on GPUs too, while the context is open.

    By default cuDNN rounds what it convolves to TF32, whose 10 bits of mantissa err by 5e-4. How that adds up
    depends on the algorithm, chosen by the size of the window: a cut would be felt at any distance, and no halo
    could keep `TOLERANCE_SIGMA`. On a CPU it changes nothing.
    """
    convolutions, products = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = convolutions, products


def theoretical_reach_px(network: Claire) -> int:
    """Return a distance in pixels beyond which no cut can be felt, whatever the weights.

    An upper bound: all layers added up along the longest path, the one through the coarsest stage. What is felt in
    practice fades much earlier: see `measured_halo_px`.
    """
    encoded, decoded, longest = 0, network.stride, 0  # logits go on for a cell into nodata
    for stage in network.size.stages:
        # A pixel may be anywhere in its cell (one stride), then come the stage's blocks.
        encoded += stage.stride + stage.depth * (ConvNextBlock.kernel // 2) * stage.stride
        # At each stride on the way back: one cell of smoothing, one of interpolation.
        decoded += 2 * stage.stride
        longest = max(longest, encoded + _fusion_cells(network, stage) * stage.stride + decoded)
    return longest


def _fusion_cells(network: Claire, stage: Stage) -> int:
    name = network.settings.fusion
    if name == "early":
        return 0
    return reach_cells(name, stage) + (stage.window - 1 if name == "window" and stage.window else 0)


def measured_halo_px(network: Claire, length_px: int | None = None, seed: int = 0) -> tuple[int, float]:
    """Return the smallest sufficient halo in pixels and the largest effect of a cut left beyond it.

    A strip of made texture is mapped whole and cut in two ways; the halo is the smallest multiple of `align_px`
    beyond which all logits differ by at most `TOLERANCE_SIGMA` deviations. Effects are those of the strip times
    `SCENE_FACTOR`. If even the longest halo that the strip can show is too short, that one comes back with its
    larger effect, and a warning is logged.

    Time and memory are those of mapping `STRIP_HEIGHT_PX` by `length_px` twice: on one core about 1 s for the size
    tiny, 3 s for small, 10 s for base.

    Args:
        network: moved and trained as it will be used; its mode (training or evaluation) is left as it was.
        length_px: length of the strip, a multiple of `align_px`; by default what shows the whole theoretical
            reach.
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
            "beyond %d px, the longest halo tried, a cut still changes logits by %.2g deviations (accepted: %g): "
            "maps may depend on inference.window_px by that much",
            chosen * align,
            left,
            TOLERANCE_SIGMA,
        )
    return chosen * align, left


def _largest_beyond(differences: list[Tensor], step: int) -> Tensor:
    """Return the largest |difference| at 0, step, 2 step … px or more from the cut, which is at the left."""
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
    """Return fields of unit deviation with detail at all scales, and weights with clouds and gaps."""
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
