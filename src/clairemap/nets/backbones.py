"""From the images of both sensors to one feature pyramid: two encoders with fusion, or one encoder for both."""

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from clairemap.nets.encoder import Encoder
from clairemap.nets.fusion import Fusion, fusion
from clairemap.nets.image import Image, all_usable
from clairemap.nets.layers import CellNorm, Sensors, channels_first, channels_last
from clairemap.nets.sizes import NetworkSize
from clairemap.nets.stage_windows import StageWindows, crop
from clairemap.nets.strips import in_strips


class BodyOutput(NamedTuple):
    """Features of the decoded cells, each a list over the stages, fine to coarse."""

    features: list[Tensor]
    """The fused features (B, H, W, C)."""
    shares: list[Sensors]
    """Each sensor's share of the fused features, (B, H, W, 1)."""
    alone: list[list[Tensor]]
    """The features of optical alone and of SAR alone, where they are asked for; else empty."""


class DualEncoder(nn.Module):
    """CLAIRE's backbone: one encoder per sensor, and a fusion of their features at each stride."""

    def __init__(self, optical_bands: int, sar_bands: int, size: NetworkSize, fusion_name: str) -> None:
        super().__init__()
        self.optical_encoder = Encoder(optical_bands + 1, size)
        self.sar_encoder = Encoder(sar_bands + 1, size)
        self.fusions = nn.ModuleList(fusion(fusion_name, stage) for stage in size.stages)

    def forward(
        self,
        images: Sequence[Image],
        weights: Sequence[Sequence[Tensor]],
        windows: Sequence[StageWindows],
        *,
        with_alone: bool = False,
    ) -> BodyOutput:
        """Return the fused features of each stage's decoded cells, and those of each sensor alone if asked for.

        Args:
            images: optical and SAR.
            weights: `coarse_weights` of each image.
            windows: one per stage.
            with_alone: also return the features of each sensor alone; the encoders still run once.
        """
        if not self.training and not with_alone:  # in training DDP needs a gradient for every parameter
            usable = [image.has_usable_pixels for image in images]
            if any(usable) and not all(usable):
                return self._only(usable.index(True), images, weights, windows)
        encoders = (self.optical_encoder, self.sar_encoder)
        pyramids = [
            _encode(encoder, masks_of(cells), image)
            for encoder, cells, image in zip(encoders, weights, images, strict=True)
        ]
        fused, shares = [], []
        for module, window, features, cells in zip(
            self.fusions, windows, zip(*pyramids, strict=True), zip(*weights, strict=True), strict=True
        ):
            needed = (Sensors(*(crop(x, window.fused) for x in both)) for both in (features, cells))
            merged, share = module(*needed)
            fused.append(crop(merged, window.kept))
            shares.append(Sensors(*(crop(x, window.kept) for x in share)))
        alone = [self._alone(sensor, pyramids[sensor], weights[sensor], windows)[0] for sensor in (0, 1) if with_alone]
        return BodyOutput(fused, shares, alone)

    def _only(
        self,
        sensor: int,
        images: Sequence[Image],
        weights: Sequence[Sequence[Tensor]],
        windows: Sequence[StageWindows],
    ) -> BodyOutput:
        """Return the result of `forward` if only one sensor has usable pixels; the other encoder is skipped."""
        encoder = (self.optical_encoder, self.sar_encoder)[sensor]
        features = _encode(encoder, masks_of(weights[sensor]), images[sensor])
        fused, own = self._alone(sensor, features, weights[sensor], windows)
        both = [(share, torch.zeros_like(share)) for share in own]
        return BodyOutput(fused, [Sensors(*(pair if sensor == 0 else pair[::-1])) for pair in both], [])

    def _alone(
        self,
        sensor: int,
        features: Sequence[Tensor],
        weights: Sequence[Tensor],
        windows: Sequence[StageWindows],
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Return the features that the decoder gets if the other sensor has weight 0 everywhere, and the shares."""
        found = [
            cast(Fusion, module).single_sensor(sensor, crop(x, window.fused), crop(weight, window.fused))
            for module, window, x, weight in zip(self.fusions, windows, features, weights, strict=True)
        ]
        kept = [
            (crop(x, window.kept), crop(share, window.kept)) for (x, share), window in zip(found, windows, strict=True)
        ]
        return [x for x, _ in kept], [share for _, share in kept]


class StackedEncoder(nn.Module):
    """Early fusion, for comparison: one encoder of the bands of both sensors.

    The input channels are optical bands, SAR bands, optical weight, SAR weight. The shares are the weights.
    """

    def __init__(self, optical_bands: int, sar_bands: int, size: NetworkSize) -> None:
        super().__init__()
        self.encoder = Encoder(optical_bands + sar_bands + 2, size)
        self.norms = nn.ModuleList(CellNorm(stage.width, eps=1e-6) for stage in size.stages)

    def forward(
        self, images: Sequence[Image], weights: Sequence[Sequence[Tensor]], windows: Sequence[StageWindows]
    ) -> BodyOutput:
        """Return the features and, as shares, the weights; see `DualEncoder.forward`."""
        features = zip(self.norms, _encode(self.encoder, masks_of(*weights), *images), windows, strict=True)
        shares = (crop(of_stages[0], windows[0].decoded) for of_stages in weights)
        return BodyOutput([norm(crop(x, window.decoded)) for norm, x, window in features], [Sensors(*shares)], [])


def _encode(encoder: Encoder, usable: Sequence[Tensor | None], *images: Image) -> list[Tensor]:
    """Return an encoder's features; its input is all bands, multiplied by their weights, followed by the weights."""
    _, _, height, width = images[0].weight.shape
    channels = sum(image.values.shape[1] + 1 for image in images)

    def stem_cells(rows: slice) -> Tensor:
        bands, weights = zip(*(image.rows(rows).network_input(encoder.stride) for image in images), strict=True)
        return encoder.stem(_concatenated([*bands, *weights]))

    cells = in_strips(stem_cells, height, channels * width, images[0].weight.device, encoder.stride)
    return encoder.features(cells, usable)


def _concatenated(layers_BCHW: Sequence[Tensor]) -> Tensor:
    """Return the layers joined along the channels, (B, H, W, C), in the type of the first."""
    joined = torch.cat([layer.to(layers_BCHW[0].dtype) for layer in layers_BCHW], dim=1)
    return channels_last(joined.contiguous(memory_format=torch.channels_last))


def coarse_weights(image: Image, size: NetworkSize) -> list[Tensor]:
    """Return the weights of each stage's cells, (B, H / stride, W / stride, 1); 0 only where all pixels have 0.

    At the finest stride the weight is the mean over a cell's usable pixels; at coarser strides the mean over all of the
    finest cells, usable or not.
    """
    stride = size.stages[0].stride
    found = [image.mean_weights(stride)]
    for stage in size.stages[1:]:
        pooled = functional.avg_pool2d(channels_first(found[-1]), stage.stride // stride)
        found.append(channels_last(pooled))
        stride = stage.stride
    return found


def masks_of(*weights: Sequence[Tensor]) -> list[Tensor | None]:
    """Return a mask per stage of the cells that any of the sensors sees; None if all, see `Encoder.features`.

    Args:
        weights: `coarse_weights` of each sensor.
    """
    if any(all_usable(of_stages[0]) for of_stages in weights):
        return [None] * len(weights[0])
    return [torch.stack(of_sensors).amax(0) > 0 for of_sensors in zip(*weights, strict=True)]
