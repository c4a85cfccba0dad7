"""From the images of both sensors to one pyramid of features: by two encoders and their fusion, or by one encoder.

Both bodies take the same and return the same, and in both what a sensor shows where its weight is 0 has no influence.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from clairemap.nets.encoder import Encoder
from clairemap.nets.fusion import Fusion, fusion
from clairemap.nets.layers import Sensors, channels_last
from clairemap.nets.sizes import NetworkSize


class DualEncoder(nn.Module):
    """An encoder for each sensor, and a fusion of their features at each stride: CLAIRE."""

    def __init__(self, optical_bands: int, sar_bands: int, size: NetworkSize, fusion_name: str) -> None:
        super().__init__()
        self.size = size
        self.optical_encoder = Encoder(optical_bands + 1, size)
        self.sar_encoder = Encoder(sar_bands + 1, size)
        self.fusions = nn.ModuleList(fusion(fusion_name, stage) for stage in size.stages)

    def forward(self, images: Sensors, weights: Sensors) -> tuple[list[Tensor], Sensors]:
        """Return the fused features, fine to coarse, and each sensor's share at the finest stride.

        Args:
            images: normalised bands (B, C, H, W).
            weights: (B, 1, H, W) in [0, 1].
        """
        coarse = _coarse(weights, self.size)
        if not self.training:  # DDP wants all parameters used in training
            present = [bool(weight.any()) for weight in weights]
            if any(present) and not all(present):
                return self._of_one(present.index(True), images, weights, coarse)
        encoded = zip(
            self.optical_encoder(_encoder_input(images.optical, weights.optical)),
            self.sar_encoder(_encoder_input(images.sar, weights.sar)),
            strict=True,
        )
        fused, shares = [], []
        for module, features, cells in zip(self.fusions, encoded, coarse, strict=True):
            merged, share = module(Sensors(*features), cells)
            fused.append(merged)
            shares.append(share)
        return fused, shares[0]

    def _of_one(
        self, sensor: int, images: Sensors, weights: Sensors, coarse: list[Sensors]
    ) -> tuple[list[Tensor], Sensors]:
        """Return what `forward` does if just one sensor has any weight, without computing what won't count."""
        encoder = (self.optical_encoder, self.sar_encoder)[sensor]
        features = encoder(_encoder_input(images[sensor], weights[sensor]))
        found = [
            cast(Fusion, module).of_one(sensor, x, cells[sensor])
            for module, x, cells in zip(self.fusions, features, coarse, strict=True)
        ]
        share = found[0][1]
        both = (share, torch.zeros_like(share))
        return [fused for fused, _ in found], Sensors(*(both if sensor == 0 else both[::-1]))


class StackedEncoder(nn.Module):
    """The bands of both sensors as one image, and one encoder: early fusion, for comparison.

    Nothing in it decides on which sensor to rely, so the shares are the weights themselves. The encoder's bands are
    the optical ones, those of SAR, the weight of optical, the weight of SAR.
    """

    def __init__(self, optical_bands: int, sar_bands: int, size: NetworkSize) -> None:
        super().__init__()
        self.size = size
        self.encoder = Encoder(optical_bands + sar_bands + 2, size)
        self.norms = nn.ModuleList(nn.LayerNorm(stage.width, eps=1e-6) for stage in size.stages)

    def forward(self, images: Sensors, weights: Sensors) -> tuple[list[Tensor], Sensors]:
        """Return the features, fine to coarse, and the weights at the finest stride: see `DualEncoder.forward`."""
        bands = [_masked(image, weight) for image, weight in zip(images, weights, strict=True)]
        features = self.encoder(_joined(*bands, *weights))
        normed = [norm(x) for norm, x in zip(self.norms, features, strict=True)]
        return normed, _coarse(weights, self.size)[0]


def _encoder_input(image_BCHW: Tensor, weight_B1HW: Tensor) -> Tensor:
    """Return bands times weight, and the weight, (B, H, W, C + 1)."""
    return _joined(_masked(image_BCHW, weight_B1HW), weight_B1HW)


def _masked(image_BCHW: Tensor, weight_B1HW: Tensor) -> Tensor:
    """Return bands times weight; finite where the weight is 0, whatever the bands are there."""
    return torch.where(weight_B1HW > 0, image_BCHW, 0) * weight_B1HW


def _joined(*parts_BCHW: Tensor) -> Tensor:
    """Return all bands of all parts, (B, H, W, C), in the type of the first."""
    joined = torch.cat([part.to(parts_BCHW[0].dtype) for part in parts_BCHW], dim=1)
    return channels_last(joined.contiguous(memory_format=torch.channels_last))


def _coarse(weights_B1HW: Sensors, size: NetworkSize) -> list[Sensors]:
    """Return for each stage the mean weights of its cells, (B, H / stride, W / stride, 1): 0 only where all are 0."""
    pooled, coarse, stride = weights_B1HW, [], 1
    for stage in size.stages:
        pooled = Sensors(*(functional.avg_pool2d(weight, stage.stride // stride) for weight in pooled))
        coarse.append(Sensors(*map(channels_last, pooled)))
        stride = stage.stride
    return coarse
