"""The decoder: a feature pyramid (Lin et al. 2017), coarse to fine, and the classifier at stride 4."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from clairemap.grid.window import Window
from clairemap.nets.layers import CellNorm, DepthwiseConv, in_cell_strips, upsampled, zero_unusable
from clairemap.nets.sizes import NetworkSize
from clairemap.nets.stage_windows import StageWindows, crop
from clairemap.nets.strips import in_strips


class Smoothing(nn.Module):
    """Depthwise 3x3 convolution, linear, LayerNorm, GELU on one level of the pyramid."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.spread = DepthwiseConv(channels, kernel=3)
        self.linear = nn.Linear(channels, channels)
        self.norm = CellNorm(channels, eps=1e-6)

    def forward(
        self, x_BHWC: Tensor, usable_BHW1: Tensor | None, then: Callable[[Tensor], Tensor] | None = None
    ) -> Tensor:
        """Return features of the same shape, after `then` (a function of each cell) if given."""

        def smooth(x: Tensor) -> Tensor:
            found = functional.gelu(self.norm(self.linear(x)))
            return found if then is None else then(found)

        return in_cell_strips(smooth, self.spread(zero_unusable(x_BHWC, usable_BHW1)))


class PyramidDecoder(nn.Module):
    """Computes class logits at the finest stride from the fused features of all stages.

    It has no pyramid pooling or other global context.
    """

    def __init__(self, size: NetworkSize, classes: int) -> None:
        super().__init__()
        width = size.decoder_width
        self.laterals = nn.ModuleList(nn.Linear(stage.width, width) for stage in size.stages)
        self.smoothings = nn.ModuleList(Smoothing(width) for _ in size.stages)
        self.head = nn.Linear(width, classes)

    def forward(
        self,
        features: Sequence[Tensor],
        windows: Sequence[StageWindows],
        cells: Window,
        usable: Sequence[Tensor | None],
    ) -> Tensor:
        """Return logits (B, H, W, classes) of a window of the finest stage's cells.

        Args:
            features: decoded cells of each stage, (B, H, W, C), fine to coarse.
            windows: one per stage.
            cells: window of the finest stage, inside its decoded cells.
            usable: a mask per stage of cells that are usable in any sensor; None if all.
        """
        known = [
            None if here is None else crop(here, window.decoded) for here, window in zip(usable, windows, strict=True)
        ]
        levels = list(
            zip(self.laterals, self.smoothings, features, (window.decoded for window in windows), strict=True)
        )
        x = self.laterals[-1](features[-1])
        finer = zip(pairwise(reversed(levels)), reversed(known), strict=False)  # the finest level has no finer one
        for ((_, smoothing, _, coarse), (lateral, _, own, fine)), here in finer:
            x = _add_coarser(lateral, own, smoothing(x, here), fine.relative_to(coarse.refined(2)))
        return crop(self.smoothings[0](x, known[0], self.head), cells.relative_to(windows[0].decoded))


def _add_coarser(lateral: nn.Module, own_BHWC: Tensor, coarse_BHWC: Tensor, place: Window) -> Tensor:
    """Return lateral(own) plus the coarser level, upsampled by 2 and cropped to the window `place`."""
    known = (coarse_BHWC.shape[1], coarse_BHWC.shape[2])

    def of_rows(rows: slice) -> Tensor:
        strip = Window(place.y0 + rows.start, place.x0, rows.stop - rows.start, place.width)
        near = strip.coarsened(2).grown(1).clipped(known)
        added: Tensor = lateral(own_BHWC[:, rows])
        return added + crop(upsampled(crop(coarse_BHWC, near), 2), strip.relative_to(near.refined(2)))

    return in_strips(of_rows, place.height, coarse_BHWC.shape[-1] * place.width, own_BHWC.device)
