"""The CLAIRE network: two encoders, cross-modality fusion at four strides, a pyramid decoder.

CLAIRE (arXiv 2509.11952) describes a dual encoder with cross-modality attention fusion. Its backbone and equations are
not public; those here are this project's own. Shapes: B batch, C bands or channels, H rows, W columns, K classes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from clairemap.grid.window import Window
from clairemap.nets.backbones import DualEncoder, StackedEncoder, coarse_weights, masks_of
from clairemap.nets.decoder import PyramidDecoder
from clairemap.nets.image import Image
from clairemap.nets.layers import Sensors, channels_first, channels_last
from clairemap.nets.sizes import SIZES
from clairemap.nets.stage_windows import cells_between, crop, stage_windows
from clairemap.outputs import FUSED
from clairemap.settings import NetworkSettings, Sensor


class ClaireOutput(NamedTuple):
    """The network's output for a batch of tiles."""

    logits: Tensor
    """Class logits (B, K, H, W). Undefined where both weights are 0: mask them there."""
    optical_share: Tensor
    """Share of optical in the fused features, 0..1, (B, 1, H / 4, W / 4); 0 where both weights are 0."""
    alone: tuple[Tensor, ...] = ()
    """Logits of optical alone and of SAR alone if asked for. Undefined where the sensor's weight is 0."""
    shares: tuple[Tensor, ...] = ()
    """Share of optical at each stride, fine to coarse, (B, 1, H / stride, W / stride); with fusion `early` only one."""


class CellOutput(NamedTuple):
    """The network's output for cells of its finest stride."""

    logits: Tensor
    """Class logits (B, K, rows of cells, columns of cells)."""
    optical_share: Tensor
    """Share of optical in the fused features, 0..1, (B, 1, rows of cells, columns of cells)."""
    window: Window
    """Window of the cells in the image, in cells."""
    alone: tuple[Tensor, ...] = ()
    """Logits of optical alone and of SAR alone if asked for."""
    shares: tuple[Tensor, ...] = ()
    """Share of optical in the decoded cells of each stride, fine to coarse, (B, 1, rows, columns)."""


class Claire(nn.Module):
    """Land-cover logits from optical and SAR tiles; either sensor may be missing in places or everywhere.

    Guarantees:

    - A sensor's values have no influence where its weight is 0, NaN included.
    - If a sensor has weight 0 everywhere, the logits are those of the other sensor.
    - Nodata has the same effect as the edge of an image.
    - Logits do not depend on the tiling if tiles start at multiples of `align_px`, at least a halo away from cut edges
      (`halo.measured_halo_px`).
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
        """Tiles must start at multiples of this many pixels and have sides that are multiples of it."""
        return self.size.align_px

    @property
    def stride(self) -> int:
        """Side of a cell of the finest stage in pixels."""
        return self.size.stages[0].stride

    def forward(
        self, optical: Tensor, sar: Tensor, optical_weight: Tensor, sar_weight: Tensor, *, with_alone: bool = False
    ) -> ClaireOutput:
        """Return the logits of each pixel, interpolated bilinearly between the cells, and the share of optical.

        Args:
            optical: normalised bands (B, C, H, W); H and W are multiples of `align_px`.
            sar: normalised SAR bands, likewise.
            optical_weight: (B, 1, H, W) in [0, 1]: 0 for nodata or a missing sensor, 1 - p for cloud probability p.
            sar_weight: the same for SAR.
            with_alone: also return the logits of each sensor alone, from the same features of the encoders; not
                available with fusion `early`.

        Raises:
            ValueError: H or W is not a multiple of `align_px`.
        """
        cells = self.cells(Image(optical, optical_weight), Image(sar, sar_weight), with_alone=with_alone)
        logits, *alone = (
            functional.interpolate(x.contiguous(), scale_factor=self.stride, mode="bilinear")
            for x in (cells.logits, *cells.alone)
        )
        return ClaireOutput(logits, cells.optical_share, tuple(alone), cells.shares)

    def cells(self, optical: Image, sar: Image, core: Window | None = None, *, with_alone: bool = False) -> CellOutput:
        """Return the logits and the share of optical of the cells from which some pixels are interpolated.

        A cell's values do not depend on `core`.

        Args:
            optical: sides are multiples of `align_px`.
            sar: SAR image of the same window.
            core: the pixels, by default all; the cells are `stage_windows.cells_between`.
            with_alone: also return the logits of each sensor alone; not available with fusion `early`.

        Raises:
            ValueError: a side of the images is not a multiple of `align_px`.
        """
        shape = self._checked_shape(optical)
        core = core or Window.whole(shape)
        needed = stage_windows(self.size, self.settings.fusion, core, shape)
        images = self._used(optical, "optical"), self._used(sar, "sar")
        weights = [coarse_weights(image, self.size) for image in images]
        cells = cells_between(core, shape, self.stride)

        def decoded(features: Sequence[Tensor], *seen_by: Sequence[Tensor]) -> Tensor:
            usable = masks_of(*seen_by)
            around = cells.grown(1).clipped((shape[0] // self.stride, shape[1] // self.stride))
            logits = self.decoder(features, needed, around, usable)
            if usable[0] is not None:
                logits = _extend_into_nodata(logits, crop(usable[0], around))
            return channels_first(crop(logits, cells.relative_to(around)))

        options = {"with_alone": True} if with_alone else {}
        found = self.body(images, weights, needed, **options)
        alone = tuple(decoded(features, seen) for features, seen in zip(found.alone, weights, strict=False))
        shares = tuple(channels_first(_optical_share(share)) for share in found.shares)
        share = shares[0][..., *cells.relative_to(needed[0].decoded).slices]
        return CellOutput(decoded(found.features, *weights), share, cells, alone, shares)

    def _checked_shape(self, image: Image) -> tuple[int, int]:
        height, width = image.weight.shape[-2:]
        if height % self.align_px or width % self.align_px:
            raise ValueError(f"tile of {height} x {width} px: sides must be multiples of {self.align_px} px")
        return height, width

    def _used(self, image: Image, sensor: Sensor) -> Image:
        """Return the image, with weight 0 everywhere if the settings exclude its sensor."""
        is_excluded = self.settings.sensors not in (FUSED, sensor)
        return image._replace(weight=torch.zeros_like(image.weight)) if is_excluded else image


def _extend_into_nodata(logits_BHWC: Tensor, usable_BHW1: Tensor) -> Tensor:
    """Return the logits with unusable cells replaced by the mean of their usable neighbours (0 without any).

    Pixels at the edge of nodata are interpolated from both.
    """
    logits, usable = channels_first(logits_BHWC), channels_first(usable_BHW1)
    near, count = _mean_around(torch.where(usable, logits, 0)), _mean_around(usable.to(logits.dtype))
    return channels_last(torch.where(usable, logits, near / torch.where(count > 0, count, 1)))


def _mean_around(x_BCHW: Tensor) -> Tensor:
    """Return the mean of each cell and its eight neighbours, with zeros beyond the edge.

    Padded first: on CUDA the gradient of `avg_pool2d` with its own padding is wrong for features in `channels_last`
    (PyTorch issue 188344; versions up to 2.11 at least). On a CPU both give the same bits.
    """
    return functional.avg_pool2d(functional.pad(x_BCHW, (1, 1, 1, 1)), 3, stride=1)


def device_of(network: nn.Module) -> torch.device:
    """Return the device of a network's weights; the CPU if it has none."""
    return next(network.parameters(), torch.empty(0)).device


def _optical_share(share: Sensors) -> Tensor:
    """Return optical / (optical + SAR), since shares that are weights do not sum to 1; 0 where both are 0."""
    total = share.optical + share.sar
    return share.optical / torch.where(total > 0, total, 1)
