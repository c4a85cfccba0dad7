"""The decoder: a feature pyramid (Lin et al. 2017) from coarse to fine, and the classifier at stride 4."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from clairemap.grid.window import Window
from clairemap.nets.layers import CellNorm, DepthwiseConv, cell_by_cell, only_seen, upsampled
from clairemap.nets.parts import Part, cut
from clairemap.nets.sizes import NetworkSize
from clairemap.nets.strips import in_strips


class Smoothing(nn.Module):
    """Depthwise 3x3, linear, LayerNorm, GELU on one level of the pyramid."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.spread = DepthwiseConv(channels, kernel=3)
        self.linear = nn.Linear(channels, channels)
        self.norm = CellNorm(channels, eps=1e-6)

    def forward(
        self, x_BHWC: Tensor, seen_BHW1: Tensor | None, then: Callable[[Tensor], Tensor] | None = None
    ) -> Tensor:
        """Return features of the same shape, or what `then` makes of each of their cells; see `layers.only_seen`."""

        def smooth(x: Tensor) -> Tensor:
            found = functional.gelu(self.norm(self.linear(x)))
            return found if then is None else then(found)

        return cell_by_cell(smooth, self.spread(only_seen(x_BHWC, seen_BHW1)))


class PyramidDecoder(nn.Module):
    """Turns the fused features of all stages into class logits at the finest stage's stride.

    There is no pyramid pooling or other global context: a pixel's logits depend on its surroundings alone.
    """

    def __init__(self, size: NetworkSize, classes: int) -> None:
        super().__init__()
        width = size.decoder_width
        self.laterals = nn.ModuleList(nn.Linear(stage.width, width) for stage in size.stages)
        self.smoothings = nn.ModuleList(Smoothing(width) for _ in size.stages)
        self.head = nn.Linear(width, classes)

    def forward(
        self, features: Sequence[Tensor], parts: Sequence[Part], cells: Window, seen: Sequence[Tensor | None]
    ) -> Tensor:
        """Return logits (B, H, W, classes) of some cells of the finest stage.

        Args:
            features: (B, H, W, C), fine to coarse.
            parts: of each stage, whose decoded cells the features are of.
            cells: for whose sake these are the parts.
            seen: for each stage, which of all its cells any sensor sees; None if all.
        """
        known = [None if here is None else cut(here, part.decoded) for here, part in zip(seen, parts, strict=True)]
        levels = list(zip(self.laterals, self.smoothings, features, (part.decoded for part in parts), strict=True))
        x = self.laterals[-1](features[-1])
        finer = zip(pairwise(reversed(levels)), reversed(known), strict=False)  # the finest has no finer one
        for ((_, smoothing, _, coarse), (lateral, _, own, fine)), here in finer:
            x = _merged(lateral, own, smoothing(x, here), fine.relative_to(coarse.refined(2)))
        return cut(self.smoothings[0](x, known[0], self.head), cells.relative_to(parts[0].decoded))


def _merged(lateral: nn.Module, own_BHWC: Tensor, coarse_BHWC: Tensor, place: Window) -> Tensor:
    """Return the lateral's features of a level, and added to them the coarser level's, upsampled twofold.

    Args:
        lateral: linear layer of the level.
        own_BHWC: what it takes.
        coarse_BHWC: the coarser level's features.
        place: of the level's cells in the upsampled ones.
    """
    known = (coarse_BHWC.shape[1], coarse_BHWC.shape[2])

    def of_rows(rows: slice) -> Tensor:
        strip = Window(place.y0 + rows.start, place.x0, rows.stop - rows.start, place.width)
        near = strip.coarsened(2).grown(1).clipped(known)
        added: Tensor = lateral(own_BHWC[:, rows])
        return added + cut(upsampled(cut(coarse_BHWC, near), 2), strip.relative_to(near.refined(2)))

    return in_strips(of_rows, place.height, coarse_BHWC.shape[-1] * place.width, own_BHWC.device)
