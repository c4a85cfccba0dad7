"""The CLAIRE network: two encoders, cross-modality fusion at four strides, a pyramid decoder.

Implements the idea published as CLAIRE (arXiv 2509.11952): dual encoder, cross-modality attention fusion. Backbone
and equations are not public, so those here are this project's own. Shape letters: B batch, C bands or channels,
H and W rows and columns, K classes.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from clairemap.nets.decoder import PyramidDecoder
from clairemap.nets.encoder import Encoder
from clairemap.nets.fusion import fusion
from clairemap.nets.layers import Sensors, channels_first, channels_last
from clairemap.nets.sizes import SIZES
from clairemap.settings import NetworkSettings


class ClaireOutput(NamedTuple):
    """What the network says about a batch of tiles."""

    logits: Tensor
    """Class logits (B, K, H, W). Without meaning where neither sensor has weight: mask them there."""
    optical_share: Tensor
    """How much the map rests on optical, in [0, 1], (B, 1, H / 4, W / 4); 0 where neither sensor has weight."""


class Claire(nn.Module):
    """Land-cover logits from optical and SAR tiles, either of which may be missing in part or altogether.

    Guarantees: what a sensor shows where its weight is 0 has no influence, NaN included. A sensor of weight 0
    everywhere leaves the logits of the other sensor alone. A pixel's logits don't depend on how the scene was cut,
    as long as tiles begin at multiples of `align_px` and the pixel lies a halo away from their cut edges
    (see `halo.measured_halo_px`).
    """

    def __init__(self, optical_bands: int, sar_bands: int, classes: int, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        self.size = SIZES[settings.size]
        self.bands = (optical_bands, sar_bands)
        self.classes = classes
        self.optical_encoder = Encoder(optical_bands + 1, self.size)
        self.sar_encoder = Encoder(sar_bands + 1, self.size)
        self.fusions = nn.ModuleList(fusion(settings.fusion, stage) for stage in self.size.stages)
        self.decoder = PyramidDecoder(self.size, classes)

    @property
    def align_px(self) -> int:
        """Tiles begin at multiples of this and have sides that are multiples of it, in pixels."""
        return self.size.align_px

    def forward(self, optical: Tensor, sar: Tensor, optical_weight: Tensor, sar_weight: Tensor) -> ClaireOutput:
        """Return logits and the share of optical.

        Args:
            optical: normalised bands (B, C, H, W); H and W are multiples of `align_px`.
            sar: the same of the SAR scene.
            optical_weight: (B, 1, H, W) in [0, 1]: 0 is nodata or a missing sensor, 1 - p under cloud of
                probability p.
            sar_weight: the same of the SAR scene.

        Raises:
            ValueError: H or W is no multiple of `align_px`.
        """
        self._check(optical)
        weights = self._used(Sensors(optical_weight, sar_weight))
        optical_stages = self.optical_encoder(_masked(optical, weights.optical))
        sar_stages = self.sar_encoder(_masked(sar, weights.sar))
        fused, shares = [], []
        for module, stage, *features in zip(self.fusions, self.size.stages, optical_stages, sar_stages, strict=True):
            coarse = Sensors(*(_coarse(weight, stage.stride) for weight in weights))
            merged, share = module(Sensors(*features), coarse)
            fused.append(merged)
            shares.append(share)
        coarse_logits = channels_first(self.decoder(fused)).contiguous()
        logits = functional.interpolate(coarse_logits, scale_factor=self.size.stages[0].stride, mode="bilinear")
        return ClaireOutput(logits, channels_first(_optical_part(shares[0])))

    def _check(self, image: Tensor) -> None:
        height, width = image.shape[-2:]
        if height % self.align_px or width % self.align_px:
            raise ValueError(f"a tile of {height} x {width} px: sides must be multiples of {self.align_px} px")

    def _used(self, weights: Sensors) -> Sensors:
        """Return the weights with that of a sensor set to 0 which the settings leave out."""
        if self.settings.sensors == "optical":
            return weights._replace(sar=torch.zeros_like(weights.sar))
        if self.settings.sensors == "sar":
            return weights._replace(optical=torch.zeros_like(weights.optical))
        return weights


def _masked(image_BCHW: Tensor, weight_B1HW: Tensor) -> Tensor:
    """Return the encoder's input (B, H, W, C + 1): bands times weight, and the weight; finite where weight is 0."""
    bands = torch.where(weight_B1HW > 0, image_BCHW, 0) * weight_B1HW
    joined = torch.cat([bands, weight_B1HW.to(bands.dtype)], dim=1)
    return channels_last(joined.contiguous(memory_format=torch.channels_last))


def _coarse(weight_B1HW: Tensor, stride: int) -> Tensor:
    """Return the mean weight of each cell, (B, H / stride, W / stride, 1): 0 only where all its pixels are 0."""
    return channels_last(functional.avg_pool2d(weight_B1HW, stride))


def _optical_part(share: Sensors) -> Tensor:
    """Return optical's part of the shares, which a plain sum doesn't bring to 1; 0 where both are 0."""
    total = share.optical + share.sar
    return share.optical / torch.where(total > 0, total, 1)
