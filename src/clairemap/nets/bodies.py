"""From the images of both sensors to one pyramid of features: by two encoders and their fusion, or by one encoder.

Both bodies take the same and return the same, and in both what a sensor shows where its weight is 0 has no influence.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from clairemap.nets.encoder import Encoder
from clairemap.nets.fusion import Fusion, fusion
from clairemap.nets.image import Image, is_everywhere
from clairemap.nets.layers import CellNorm, Sensors, channels_first, channels_last
from clairemap.nets.parts import Part, cut
from clairemap.nets.sizes import NetworkSize
from clairemap.nets.strips import in_strips


class DualEncoder(nn.Module):
    """An encoder for each sensor, and a fusion of their features at each stride: CLAIRE."""

    def __init__(self, optical_bands: int, sar_bands: int, size: NetworkSize, fusion_name: str) -> None:
        super().__init__()
        self.size = size
        self.optical_encoder = Encoder(optical_bands + 1, size)
        self.sar_encoder = Encoder(sar_bands + 1, size)
        self.fusions = nn.ModuleList(fusion(fusion_name, stage) for stage in size.stages)

    def forward(self, images: Sequence[Image], parts: Sequence[Part]) -> tuple[list[Tensor], Sensors]:
        """Return the fused features, fine to coarse, and each sensor's share at the finest stride.

        Args:
            images: of optical and of SAR.
            parts: of each stage, whose decoded cells come back.
        """
        if not self.training:  # DDP wants all parameters used in training
            seen = [image.is_seen for image in images]
            if any(seen) and not all(seen):
                return self._of_one(seen.index(True), images, parts)
        weights = [coarse_weights(image, self.size) for image in images]
        encoders = (self.optical_encoder, self.sar_encoder)
        optical, sar = (
            _encoded(encoder, _seen(cells), image)
            for encoder, cells, image in zip(encoders, weights, images, strict=True)
        )
        fused, shares = [], []
        for module, part, *features, cells in zip(
            self.fusions, parts, optical, sar, zip(*weights, strict=True), strict=True
        ):
            needed = (Sensors(*(cut(x, part.fused) for x in both)) for both in (features, cells))
            merged, share = module(*needed)
            fused.append(cut(merged, part.kept))
            shares.append(Sensors(*(cut(x, part.kept) for x in share)))
        return fused, shares[0]

    def _of_one(self, sensor: int, images: Sequence[Image], parts: Sequence[Part]) -> tuple[list[Tensor], Sensors]:
        """Return what `forward` does if just one sensor has any weight, without computing what won't count."""
        weights = coarse_weights(images[sensor], self.size)
        features = _encoded((self.optical_encoder, self.sar_encoder)[sensor], _seen(weights), images[sensor])
        found = [
            cast(Fusion, module).of_one(sensor, cut(x, part.fused), cut(weight, part.fused))
            for module, part, x, weight in zip(self.fusions, parts, features, weights, strict=True)
        ]
        share = cut(found[0][1], parts[0].kept)
        both = (share, torch.zeros_like(share))
        fused = [cut(x, part.kept) for (x, _), part in zip(found, parts, strict=True)]
        return fused, Sensors(*(both if sensor == 0 else both[::-1]))


class StackedEncoder(nn.Module):
    """The bands of both sensors as one image, and one encoder: early fusion, for comparison.

    Nothing in it decides on which sensor to rely, so the shares are the weights themselves. The encoder's bands are
    the optical ones, those of SAR, the weight of optical, the weight of SAR.
    """

    def __init__(self, optical_bands: int, sar_bands: int, size: NetworkSize) -> None:
        super().__init__()
        self.size = size
        self.encoder = Encoder(optical_bands + sar_bands + 2, size)
        self.norms = nn.ModuleList(CellNorm(stage.width, eps=1e-6) for stage in size.stages)

    def forward(self, images: Sequence[Image], parts: Sequence[Part]) -> tuple[list[Tensor], Sensors]:
        """Return the features, fine to coarse, and the weights at the finest stride: see `DualEncoder.forward`."""
        seen = seen_by_any(images, self.size)
        features = zip(self.norms, _encoded(self.encoder, seen, *images), parts, strict=True)
        shares = (cut(image.mean_weights(self.encoder.stride), parts[0].decoded) for image in images)
        return [norm(cut(x, part.decoded)) for norm, x, part in features], Sensors(*shares)


def _encoded(encoder: Encoder, seen: Sequence[Tensor | None], *images: Image) -> list[Tensor]:
    """Return an encoder's features of the bands of all images, times their weights, and of the weights."""
    _, _, height, width = images[0].weight.shape
    channels = sum(image.values.shape[1] + 1 for image in images)

    def entered(rows: slice) -> Tensor:
        bands, weights = zip(*(image.rows(rows).entering(encoder.stride) for image in images), strict=True)
        return encoder.entrance(_joined([*bands, *weights]))

    cells = in_strips(entered, height, channels * width, images[0].weight.device, encoder.stride)
    return encoder.features(cells, seen)


def _joined(parts_BCHW: Sequence[Tensor]) -> Tensor:
    """Return all bands of all parts, (B, H, W, C), in the type of the first."""
    joined = torch.cat([part.to(parts_BCHW[0].dtype) for part in parts_BCHW], dim=1)
    return channels_last(joined.contiguous(memory_format=torch.channels_last))


def coarse_weights(image: Image, size: NetworkSize) -> list[Tensor]:
    """Return for each stage the mean weights of its cells, (B, H / stride, W / stride, 1): 0 only where all are 0.

    At the finest stride that of what is seen; beyond it a cell counts the less, the more of the finest are unseen.
    """
    stride = size.stages[0].stride
    found = [image.mean_weights(stride)]
    for stage in size.stages[1:]:
        pooled = functional.avg_pool2d(channels_first(found[-1]), stage.stride // stride)
        found.append(channels_last(pooled))
        stride = stage.stride
    return found


def seen_by_any(images: Sequence[Image], size: NetworkSize) -> list[Tensor | None]:
    """Return for each stage the cells of which any sensor sees anything: see `Encoder.features`."""
    if any(is_everywhere(image.weight) for image in images):
        return [None] * len(size.stages)
    weights = zip(*(coarse_weights(image, size) for image in images), strict=True)
    return _seen([torch.stack(of_stage).amax(0) for of_stage in weights])


def _seen(weights: Sequence[Tensor]) -> list[Tensor | None]:
    """Return where the weights of each stage are above 0; None for all of them if they are everywhere."""
    return [None] * len(weights) if is_everywhere(weights[0]) else [weight > 0 for weight in weights]
