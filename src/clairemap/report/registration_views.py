"""Windows of a scene for the checkerboards of optical and SAR, and their pictures."""

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
"""Number of windows from which the views are selected."""

VIEW_PX = 128
"""Side of a window, unless the scene is smaller; in larger windows, displacements of a few pixels are not visible."""

MAX_READ_PX = 1024
"""Maximum side of the square of optical pixels read per window, if optical is averaged to coarser SAR."""

MAX_REDUCTION = 16
MID_GREY = 0.45
EDGE_PX = 3.0
"""Standard deviation of the Gaussian derivatives that detect edges."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class GreyPicture:
    """A sensor's grey picture (y, x), 0 black to 1 white, float32, and its valid pixels."""

    values: NDArray[np.float32]
    valid: NDArray[np.bool_]


@dataclass(frozen=True)
class RegistrationView:
    """A square window of the scene in both sensors: SAR as delivered and, if it is moved, as registered.

    `row`, `column` and `across_px` are its upper left corner and its side in optical pixels. If SAR pixels are larger,
    the pictures have their size. `geometry` describes the optical grid on the ground, None without a CRS.
    """

    row: int
    column: int
    across_px: int
    optical: GreyPicture
    delivered: GreyPicture
    registered: GreyPicture | None
    geometry: PixelGeometry | None = None


def registration_views(pair: Pair, record: Registration) -> list[RegistrationView]:
    """Return up to `MAX_VIEWS` windows that show how well the sensors are aligned, from top to bottom.

    Candidates are windows around inliers, or windows spread over the scene if the registration was rejected. Windows
    with strong edges common to both sensors and far from each other are preferred. They do not overlap. Equal arguments
    give equal views. Memory: `CANDIDATES` windows, independent of the size of the scene.
    """
    source = _ViewSource.of(pair, record)
    views = [source.view(window) for window in source.candidates(record)]
    corners = np.array([(view.row, view.column) for view in views], np.float64)
    weights = np.array([_common_edge_strength(view) for view in views])
    chosen = spread_points(
        corners, weights, MAX_VIEWS, min_distance=source.across_px, full_distance=min(pair.shape) / MAX_VIEWS
    )
    return sorted((views[index] for index in chosen), key=lambda view: (view.row, view.column))


def spread_points(points: Floats, weights: Floats, count: int, min_distance: float, full_distance: float) -> list[int]:
    """Return the indices of up to `count` points (point, 2) with large weights that are far from each other.

    The first has the largest weight; each further one has the largest product of weight and distance to the nearest
    selected point, with distances limited to `full_distance`. Two points differ by at least `min_distance` in at least
    one coordinate. Of equal candidates the first is selected.
    """
    selected: list[int] = []
    nearest = np.full(len(points), full_distance)
    free = np.ones(len(points), np.bool_)
    while free.any() and len(selected) < count:
        best = int(np.argmax(np.where(free, weights * nearest, -1.0)))
        steps = np.abs(points - points[best])
        nearest = np.minimum(nearest, np.hypot(*steps.T))
        free &= steps.max(axis=1) >= max(min_distance, 1.0)
        selected.append(best)
    return selected


@dataclass(frozen=True)
class _ViewSource:
    """A pair reduced by `factor`, read in windows of `side` reduced pixels."""

    delivered: Pair
    registered: Pair | None
    factor: int
    side: int

    @classmethod
    def of(cls, pair: Pair, record: Registration) -> "_ViewSource":
        """Return the source of the views of a pair."""
        factor = min(MAX_REDUCTION, pair.sar_px)
        side = min(VIEW_PX, MAX_READ_PX // factor, max(1, min(pair.shape) // (2 * factor)))
        return cls(pair, pair.displaced(Displacement.of(record.model)) if record.applied else None, factor, side)

    @property
    def across_px(self) -> int:
        """Side of a window in optical pixels."""
        return self.side * self.factor

    def candidates(self, record: Registration) -> list[Window]:
        """Return windows around inliers, or windows spread over the scene if there are no reliable ones."""
        inliers = [tie for tie in record.ties if tie.inlier]
        if record.verdict == "rejected" or not inliers:
            rows, columns = (self._evenly(size) for size in self.delivered.shape)
            return [self._around(row, column) for row in rows for column in columns]
        centres = np.array([(tie.y, tie.x) for tie in inliers])
        strength = np.array([tie.strength for tie in inliers])
        chosen = spread_points(
            centres, strength, CANDIDATES, self.across_px / 2, full_distance=min(self.delivered.shape) / 6
        )
        return [self._around(*centres[index]) for index in chosen]

    def _evenly(self, size: int) -> list[float]:
        """Return the centres of two to four equal intervals of a side of the scene, as many as windows fit."""
        parts = max(2, min(4, size // self.across_px))
        return [size * (part + 0.5) / parts for part in range(parts)]

    def _around(self, y: float, x: float) -> Window:
        """Return the window centred on optical pixel coordinates, shifted into the scene."""
        y0, x0 = (
            min(max(0, round(centre / self.factor) - self.side // 2), max(0, size // self.factor - self.side))
            for centre, size in zip((y, x), self.delivered.shape, strict=True)
        )
        return Window(y0, x0, self.side, self.side)

    def view(self, window: Window) -> RegistrationView:
        """Return a window's view; both SAR pictures have the same contrast stretch."""
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
    """Return blocks of one sensor in grey: the mean of its bands, each stretched between percentiles 2 and 98.

    All blocks have the same stretch. The median becomes `MID_GREY`, so that both sensors have similar brightness.
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
    """Return the mean strength of edges at the same pixels and in the same direction in both sensors."""
    first, second = view.optical, view.registered or view.delivered
    slopes = [
        [ndimage.gaussian_filter(picture.values, EDGE_PX, order=order) for order in ((1, 0), (0, 1))]
        for picture in (first, second)
    ]
    common = np.abs(slopes[0][0] * slopes[1][0] + slopes[0][1] * slopes[1][1])
    rim = math.ceil(2 * EDGE_PX)  # the border of nodata is not an edge
    inner = ndimage.binary_erosion(first.valid & second.valid, iterations=rim, border_value=1)
    return float((common * inner).mean())
