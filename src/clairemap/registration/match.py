"""Tie points between an optical and a SAR scene, from windows spread over the scene."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from clairemap.artefacts.registration import Tie
from clairemap.console import progress
from clairemap.grid.mapping import PixelMapping
from clairemap.grid.points import Point, Shift
from clairemap.grid.window import Window
from clairemap.raster.source import Block, RasterSource
from clairemap.registration.correlation import CorrelationSurface, correlation_surface, highest_peak
from clairemap.registration.model import Displacement
from clairemap.registration.overlap import mapping_between
from clairemap.registration.structure import STRUCTURE_REACH_PX, Structure, edge_structure
from clairemap.registration.warp import SarOnGrid
from clairemap.registration.windows import WindowLayout
from clairemap.settings import SarSettings, SensorBands

LEAST_VALID = 0.6
"""Share of a window that must have structure in both pictures."""

DISTINCT_PEAK = 0.5
"""Strength from which a window's peak makes a tie. Below, the second best place is about as good."""

FRAME_PX = 2**22
"""Scenes of at most as many pixels get their structure once; of larger ones each window gets its own."""


@dataclass(frozen=True)
class Evidence:
    """What the windows of a scene say about its displacement against a predicted one.

    `surface` is the mean of all windows' correlations, which finds a common displacement even where single windows
    do not; `ties` are the windows with a distinct peak of their own, `places` the centres of all that could
    be correlated, `overlap` how many windows hold the same pixel. Lengths in optical pixels, except that the
    surface's shifts are steps of `factor` pixels away from `prediction`.
    """

    surface: CorrelationSurface
    ties: tuple[Tie, ...]
    places: tuple[Point[float], ...]
    overlap: float
    scene_shape: tuple[int, int]
    prediction: Displacement
    factor: int


@dataclass(frozen=True)
class Pair:
    """Both scenes of a pair, SAR seen on the optical grid through its georeferencing and a displacement."""

    optical: RasterSource
    optical_bands: tuple[int, ...]
    sar: SarOnGrid

    @classmethod
    def opened(cls, optical: RasterSource, sar: RasterSource, sensors: SensorBands) -> "Pair":
        """Return the pair as georeferenced.

        Raises:
            BandCountError: a file has other bands than the settings say.
            GridError: just one of the files has a CRS.
            NoOverlapError: they share no ground.
        """
        optical_bands = optical.band_indexes(sensors.optical.names, sensors.optical.indexes)
        sar_bands = sar.band_indexes(sensors.sar.names, sensors.sar.indexes)
        # Gradients average speckle themselves; a Lee filter before them was measured to displace edges further.
        unfiltered = SarSettings.model_validate({**sensors.sar.model_dump(), "speckle_filter": "none"})
        return cls(optical, optical_bands, SarOnGrid(sar, sar_bands, unfiltered, mapping_between(optical, sar)))

    def displaced(self, model: Displacement) -> "Pair":
        """Return the pair with SAR moved by a model."""
        mapping = self.sar.mapping
        return replace(self, sar=replace(self.sar, mapping=PixelMapping(mapping.target, mapping.source, model)))

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the optical grid."""
        return self.optical.shape

    @property
    def sar_px(self) -> int:
        """Side of SAR's pixels in optical pixels, rounded, if they are the larger ones; 1 if not."""
        return max(1, round(1 / max(*self.sar.mapping.source_px_per_target_px, 1e-3)))

    def optical_reduced(self, window: Window, factor: int) -> Block:
        """Return the optical bands of a window of the grid that is coarser by a whole factor."""
        return reduced(self.optical.read(window.refined(factor), self.optical_bands), factor)

    def sar_reduced(self, window: Window, factor: int) -> Block:
        """Return the SAR bands of a window of the grid that is coarser by a whole factor."""
        return reduced(self.sar.read(window.refined(factor)), factor)


def reduced(block: Block, factor: int) -> Block:
    """Return means over squares of `factor` pixels, float32; valid where at least half of a square's pixels are."""
    if factor == 1:
        return Block(block.values.astype(np.float32, copy=False), block.valid)
    bands, (rows, cols) = len(block.values), (side // factor for side in block.valid.shape)
    squares = (rows, factor, cols, factor)
    count = block.valid.reshape(squares).sum(axis=(1, 3), dtype=np.int32)
    values = np.where(block.valid, block.values, block.values.dtype.type(0)).astype(np.float32, copy=False)
    total = values.reshape(bands, *squares).sum(axis=(2, 4))
    return Block(total / np.maximum(count, 1).astype(np.float32), 2 * count >= factor**2)


def match(
    pair: Pair, layout: WindowLayout, prediction: Displacement, search_px: int, factor: int, label: str
) -> Evidence:
    """Return what correlating windows of both scenes' edge structure says about their displacement.

    Memory: one window of both, or `FRAME_PX` pixels, however large the scene.

    Args:
        pair: the scenes as georeferenced.
        layout: windows on the optical grid made coarser by `factor`.
        prediction: displacement around which to look.
        search_px: largest deviation from it, in pixels of the coarser grid.
        factor: pixels along the side of the squares that are averaged first.
        label: what the progress bar says.
    """
    matcher = _Matcher(pair.displaced(prediction), search_px, factor)
    total = np.zeros((2 * search_px + 1,) * 2, np.float64)
    ties: list[Tie] = []
    places: list[Point[float]] = []
    for window in progress(layout.windows, label):
        surface = matcher.correlated(window)
        if surface is None:
            continue
        total += surface
        y, x = (
            (start + (extent - 1) / 2) * factor + (factor - 1) / 2
            for start, extent in ((window.y0, window.height), (window.x0, window.width))
        )
        place = Point(y, x)
        places.append(place)
        peak = highest_peak(surface)
        if peak.strength >= DISTINCT_PEAK:
            shift = composed(prediction, place, Shift(peak.dy * factor, peak.dx * factor))
            ties.append(Tie(y=y, x=x, dy=shift.dy, dx=shift.dx, strength=peak.strength))
    mean = (total / max(len(places), 1)).astype(np.float32)
    return Evidence(mean, tuple(ties), tuple(places), layout.overlap, pair.shape, prediction, factor)


def composed(prediction: Displacement, place: Point[float], residual: Shift[float]) -> Shift[float]:
    """Return the whole displacement at a place, from a residual found in SAR moved by a prediction."""
    predicted = prediction.at_point(Point(place.y + residual.dy, place.x + residual.dx))
    return Shift(residual.dy + predicted.dy, residual.dx + predicted.dx)


@dataclass(frozen=True)
class _Matcher:
    """Structure of both pictures, and its correlation, window by window of the grid coarser by `factor`."""

    pair: Pair
    search_px: int
    factor: int

    def correlated(self, window: Window) -> CorrelationSurface | None:
        """Return a window's correlation at all shifts; None if too little of it has structure in both pictures."""
        template, search = self._structures(window)
        margin = self.search_px
        if _share(template) < LEAST_VALID or _share(search[margin:-margin, margin:-margin]) < LEAST_VALID:
            return None
        return correlation_surface(template, search, margin)

    def _structures(self, window: Window) -> tuple[Structure, Structure]:
        frame = self._frame
        if frame is None:
            return self._computed(window)
        template, search = frame
        rows, cols = window.slices
        wider = slice(rows.start, rows.stop + 2 * self.search_px), slice(cols.start, cols.stop + 2 * self.search_px)
        return template[rows, cols], search[wider]

    @cached_property
    def _frame(self) -> tuple[Structure, Structure] | None:
        height, width = (side // self.factor for side in self.pair.shape)
        small = self.pair.shape[0] * self.pair.shape[1] <= FRAME_PX
        return self._computed(Window(0, 0, height, width)) if small else None

    def _computed(self, window: Window) -> tuple[Structure, Structure]:
        reach = STRUCTURE_REACH_PX
        optical = self.pair.optical_reduced(window.grown(reach), self.factor)
        sar = self.pair.sar_reduced(window.grown(self.search_px + reach), self.factor)
        return _structure(optical), _structure(sar)


def _structure(block: Block) -> Structure:
    """Return the structure of a block without the margin that it takes to compute it."""
    inner = slice(STRUCTURE_REACH_PX, -STRUCTURE_REACH_PX)
    return edge_structure(block.values, block.valid)[inner, inner]


def _share(structure: Structure) -> float:
    return float(np.count_nonzero(structure)) / structure.size
