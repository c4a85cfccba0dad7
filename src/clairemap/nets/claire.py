"""The CLAIRE network: two encoders, cross-modality fusion at four strides, a pyramid decoder.

Fusions that it is compared with share the decoder and all guarantees; the simplest, early fusion, has one encoder.

Implements the idea published as CLAIRE (arXiv 2509.11952): dual encoder, cross-modality attention fusion. Backbone
and equations are not public, so those here are this project's own. Shape letters: B batch, C bands or channels,
H and W rows and columns, K classes.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from clairemap.grid.window import Window
from clairemap.nets.backbones import DualEncoder, StackedEncoder, any_sensor_mask
from clairemap.nets.decoder import PyramidDecoder
from clairemap.nets.image import Image
from clairemap.nets.layers import Sensors, channels_first, channels_last
from clairemap.nets.sizes import SIZES
from clairemap.nets.stage_windows import cells_between, crop, stage_windows
from clairemap.settings import NetworkSettings, Sensor


class ClaireOutput(NamedTuple):
    """What the network says about a batch of tiles."""

    logits: Tensor
    """Class logits (B, K, H, W). Without meaning where neither sensor has weight: mask them there."""
    optical_share: Tensor
    """How much the map rests on optical, in [0, 1], (B, 1, H / 4, W / 4); 0 where neither sensor has weight."""


class CellOutput(NamedTuple):
    """What the network says about the cells of its finest stride."""

    logits: Tensor
    """Class logits (B, K, rows of cells, columns of cells)."""
    optical_share: Tensor
    """How much the map rests on optical, in [0, 1], (B, 1, rows of cells, columns of cells)."""
    window: Window
    """The cells, counted from the image's upper left one."""


class Claire(nn.Module):
    """Land-cover logits from optical and SAR tiles, either of which may be missing in part or altogether.

    Guarantees: what a sensor shows where its weight is 0 has no influence, NaN included. A sensor of weight 0
    everywhere leaves the logits of the other sensor alone. Cells that a sensor doesn't see are to its encoder, and
    those that none sees to all convolutions, what lies beyond the edge of an image. A pixel's logits don't depend on
    how the scene was cut, as long as tiles begin at multiples of `align_px` and the pixel lies a halo away from their
    cut edges (see `halo.measured_halo_px`).
    """

    def __init__(self, optical_bands: int, sar_bands: int, classes: int, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        self.size = SIZES[settings.size]
        self.bands = (optical_bands, sar_bands)
        self.classes = classes
        self.body: DualEncoder | StackedEncoder = (
            StackedEncoder(optical_bands, sar_bands, self.size)
            if settings.fusion == "early"
            else DualEncoder(optical_bands, sar_bands, self.size, settings.fusion)
        )
        self.decoder = PyramidDecoder(self.size, classes)

    @property
    def align_px(self) -> int:
        """Tiles begin at multiples of this and have sides that are multiples of it, in pixels."""
        return self.size.align_px

    @property
    def stride(self) -> int:
        """Pixels along a cell."""
        return self.size.stages[0].stride

    def forward(self, optical: Tensor, sar: Tensor, optical_weight: Tensor, sar_weight: Tensor) -> ClaireOutput:
        """Return the logits of each pixel and the share of optical: those of `cells`, the logits bilinear in between.

        Args:
            optical: normalised bands (B, C, H, W); H and W are multiples of `align_px`.
            sar: the same of the SAR scene.
            optical_weight: (B, 1, H, W) in [0, 1]: 0 is nodata or a missing sensor, 1 - p under cloud of
                probability p.
            sar_weight: the same of the SAR scene.

        Raises:
            ValueError: H or W is no multiple of `align_px`.
        """
        logits, share, _ = self.cells(Image(optical, optical_weight), Image(sar, sar_weight))
        logits = functional.interpolate(logits.contiguous(), scale_factor=self.stride, mode="bilinear")
        return ClaireOutput(logits, share)

    def cells(self, optical: Image, sar: Image, wanted: Window | None = None) -> CellOutput:
        """Return the logits and the share of optical as the network computes them, and for which cells.

        Args:
            optical: what the optical sensor sees; its sides are multiples of `align_px`.
            sar: what SAR sees of the same place.
            wanted: the pixels whose logits are wanted, by default all. The result is that of the cells
                `stage_windows.cells_between` them, and equal to the same cells of the whole result.

        Raises:
            ValueError: a side of the images is no multiple of `align_px`.
        """
        shape = self._checked_shape(optical)
        wanted = wanted or Window.whole(shape)
        needed = stage_windows(self.size, self.settings.fusion, wanted, shape)
        images = self._used(optical, "optical"), self._used(sar, "sar")
        features, shares = self.body(images, needed)
        seen = any_sensor_mask(images, self.size)
        cells = cells_between(wanted, shape, self.stride)
        around = cells.grown(1).clipped((shape[0] // self.stride, shape[1] // self.stride))
        logits = self.decoder(features, needed, around, seen)
        if seen[0] is not None:
            logits = _extended(logits, crop(seen[0], around))
        logits = crop(logits, cells.relative_to(around))
        share = crop(_optical_share(shares), cells.relative_to(needed[0].decoded))
        return CellOutput(channels_first(logits), channels_first(share), cells)

    def _checked_shape(self, image: Image) -> tuple[int, int]:
        height, width = image.weight.shape[-2:]
        if height % self.align_px or width % self.align_px:
            raise ValueError(f"a tile of {height} x {width} px: sides must be multiples of {self.align_px} px")
        return height, width

    def _used(self, image: Image, sensor: Sensor) -> Image:
        """Return the image, without any weight if the settings leave out its sensor."""
        left_out = self.settings.sensors not in ("fused", sensor)
        return image._replace(weight=torch.zeros_like(image.weight)) if left_out else image


def _extended(logits_BHWC: Tensor, seen_BHW1: Tensor) -> Tensor:
    """Return logits that go on for a cell into nodata: there they are the mean of the cells around that are seen.

    The pixels on its rim lie between the centres of a cell that is seen and one that is not, whose logits mean nothing.
    """
    logits, seen = channels_first(logits_BHWC), channels_first(seen_BHW1)
    near = functional.avg_pool2d(torch.where(seen, logits, 0), 3, stride=1, padding=1)
    count = functional.avg_pool2d(seen.to(logits.dtype), 3, stride=1, padding=1)
    return channels_last(torch.where(seen, logits, near / torch.where(count > 0, count, 1)))


def device_of(network: nn.Module) -> torch.device:
    """Return where a network computes; the CPU if it has no weights."""
    return next(network.parameters(), torch.empty(0)).device


def _optical_share(share: Sensors) -> Tensor:
    """Return optical's share, which plain weights don't bring to 1; 0 where both are 0."""
    total = share.optical + share.sar
    return share.optical / torch.where(total > 0, total, 1)
