"""Where in a scene both sensors are shown over each other, and what they saw there."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from clairemap.artefacts.registration import Registration
from clairemap.grid.window import Window
from clairemap.raster.source import Block
from clairemap.registration.match import Pair
from clairemap.registration.model import Displacement
from clairemap.report.pixel_geometry import PixelGeometry

MAX_VIEWS = 3
CANDIDATES = 24
"""Windows that are looked at before some are shown."""

VIEW_PX = 128
"""Side of a window, unless the scene is smaller: in larger ones displacements of a few pixels can't be seen."""

MAX_READ_PX = 1024
"""Side of the squares of optical pixels that are read at most, where SAR is so coarse that they are averaged."""

MAX_REDUCTION = 16
MID_GREY = 0.45
EDGE_PX = 3.0
"""Width of the Gaussian whose derivatives find edges."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class GreyPicture:
    """A sensor's picture in grey (y, x), 0 black to 1 white, float32, and where it is valid."""

    values: NDArray[np.float32]
    valid: NDArray[np.bool_]


@dataclass(frozen=True)
class RegistrationView:
    """A square of the scene in both sensors, SAR as delivered and, where it is moved, as registered.

    `row`, `column` and `across_px` are its upper left corner and its side in optical pixels. The pictures are
    coarser where SAR's own pixels are. `geometry` is how the optical grid lies on the ground, None without a CRS.
    """

    row: int
    column: int
    across_px: int
    optical: GreyPicture
    delivered: GreyPicture
    registered: GreyPicture | None
    geometry: PixelGeometry | None = None


def registration_views(pair: Pair, record: Registration) -> list[RegistrationView]:
    """Return up to `MAX_VIEWS` squares that show best how well the sensors lie on each other, from top to bottom.

    They don't overlap. Where the displacement is believed they lie around ties that agree, else anywhere. Those with
    strong edges at the same positions in both sensors come first, the further from the others the better. Equal
    arguments give equal views. Memory: `CANDIDATES` windows, however large the scene.
    """
    sight = _ViewSource.of(pair, record)
    seen = [sight.view(window) for window in sight.candidates(record)]
    corners = np.array([(view.row, view.column) for view in seen], np.float64)
    weights = np.array([_common_edge_strength(view) for view in seen])
    chosen = spread(corners, weights, MAX_VIEWS, apart=sight.across_px, enough=min(pair.shape) / MAX_VIEWS)
    return sorted((seen[index] for index in chosen), key=lambda view: (view.row, view.column))


def spread(points: Floats, weights: Floats, count: int, apart: float, enough: float) -> list[int]:
    """Return which of the points (point, 2) to take, one after the other, up to `count`.

    The first has the largest weight, each further one the largest product of weight and distance to those taken, where
    distances beyond `enough` count as that. None lies nearer than `apart` to another in both coordinates. Of equals
    the first is taken.
    """
    taken: list[int] = []
    nearest = np.full(len(points), enough)
    free = np.ones(len(points), np.bool_)
    while free.any() and len(taken) < count:
        best = int(np.argmax(np.where(free, weights * nearest, -1.0)))
        steps = np.abs(points - points[best])
        nearest = np.minimum(nearest, np.hypot(*steps.T))
        free &= steps.max(axis=1) >= max(apart, 1.0)
        taken.append(best)
    return taken


@dataclass(frozen=True)
class _ViewSource:
    """Both pictures on the grid coarser by `factor`, seen through windows of `side` pixels of that grid."""

    delivered: Pair
    registered: Pair | None
    factor: int
    side: int

    @classmethod
    def of(cls, pair: Pair, record: Registration) -> "_ViewSource":
        """Return the source of the views of a registered pair."""
        factor = min(MAX_REDUCTION, pair.sar_px)
        side = min(VIEW_PX, MAX_READ_PX // factor, max(1, min(pair.shape) // (2 * factor)))
        return cls(pair, pair.displaced(Displacement.of(record.model)) if record.applied else None, factor, side)

    @property
    def across_px(self) -> int:
        """Side of a window in optical pixels."""
        return self.side * self.factor

    def candidates(self, record: Registration) -> list[Window]:
        """Return windows around agreeing ties, or spread over the scene where none can be trusted, inside the scene."""
        agreeing = [tie for tie in record.ties if tie.inlier]
        if record.verdict == "rejected" or not agreeing:
            rows, columns = (self._evenly(size) for size in self.delivered.shape)
            return [self._around(row, column) for row in rows for column in columns]
        centres = np.array([(tie.y, tie.x) for tie in agreeing])
        strength = np.array([tie.strength for tie in agreeing])
        chosen = spread(centres, strength, CANDIDATES, self.across_px / 2, enough=min(self.delivered.shape) / 6)
        return [self._around(*centres[index]) for index in chosen]

    def _evenly(self, size: int) -> list[float]:
        """Return the middles of two to four equal parts of a side of the scene, as many as windows fit into."""
        parts = max(2, min(4, size // self.across_px))
        return [size * (part + 0.5) / parts for part in range(parts)]

    def _around(self, y: float, x: float) -> Window:
        """Return the window around optical pixel coordinates, moved into the scene."""
        y0, x0 = (
            min(max(0, round(centre / self.factor) - self.side // 2), max(0, size // self.factor - self.side))
            for centre, size in zip((y, x), self.delivered.shape, strict=True)
        )
        return Window(y0, x0, self.side, self.side)

    def view(self, window: Window) -> RegistrationView:
        """Return what the sensors saw in a window; SAR's two pictures are stretched alike."""
        optical = self.delivered.optical_reduced(window, self.factor)
        moved = [pair.sar_reduced(window, self.factor) for pair in (self.delivered, self.registered) if pair]
        delivered, *registered = _grey_pictures(moved)
        row, column = window.y0 * self.factor, window.x0 * self.factor
        return RegistrationView(
            row,
            column,
            self.across_px,
            _grey_pictures([optical])[0],
            delivered,
            registered[0] if registered else None,
            PixelGeometry.of(self.delivered.optical.geobox),
        )


def _grey_pictures(blocks: list[Block]) -> list[GreyPicture]:
    """Return blocks of one sensor in grey, all alike: each band between its percentiles 2 and 98, then their mean.

    The middle tone becomes `MID_GREY`, so that both sensors are about as bright.
    """
    values = np.concatenate([block.values[:, block.valid] for block in blocks], axis=1)
    if not values.size:
        return [GreyPicture(np.zeros(block.valid.shape, np.float32), block.valid) for block in blocks]
    low, high = np.percentile(values, (2, 98), axis=1).astype(np.float32)[..., None]
    span = np.maximum(high - low, 1e-9)
    middle = float(np.median(np.clip((values - low) / span, 0, 1).mean(axis=0)))
    gamma = np.float32(math.log(MID_GREY) / math.log(min(max(middle, 0.05), 0.95)))
    low, span = low[..., None], span[..., None]
    return [
        GreyPicture(np.clip((block.values - low) / span, 0, 1).mean(axis=0) ** gamma, block.valid) for block in blocks
    ]


def _common_edge_strength(view: RegistrationView) -> float:
    """Return how strong edges are that both sensors have at the same pixels and in the same direction."""
    first, second = view.optical, view.registered or view.delivered
    slopes = [
        [ndimage.gaussian_filter(picture.values, EDGE_PX, order=order) for order in ((1, 0), (0, 1))]
        for picture in (first, second)
    ]
    common = np.abs(slopes[0][0] * slopes[1][0] + slopes[0][1] * slopes[1][1])
    rim = math.ceil(2 * EDGE_PX)  # where nodata begins there is no edge
    inner = ndimage.binary_erosion(first.valid & second.valid, iterations=rim, border_value=1)
    return float((common * inner).mean())
