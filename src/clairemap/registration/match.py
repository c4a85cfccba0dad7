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
from clairemap.settings import SensorBands, TiledSar

MIN_VALID_SHARE = 0.6
"""Minimum share of a window with structure in both images."""

MIN_PEAK_STRENGTH = 0.5
"""Minimum peak strength of a tie point. Below it, the second best shift is about as good."""

FRAME_PX = 2**22
"""Up to this number of pixels, structure is computed once for the whole scene; above it, per window."""


@dataclass(frozen=True)
class Evidence:
    """Matching results of a scene's windows, relative to a predicted displacement.

    `surface` is the mean correlation of all windows: it shows a common displacement even where single windows are
    ambiguous. `ties` are the windows with a distinct peak. `places` are the centres of all correlated windows,
    `overlap` is the mean number of windows over a pixel. Lengths are in optical pixels, but the surface's shifts are
    in steps of `factor` pixels from `prediction`.
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
    """Optical and SAR scene, with SAR mapped to the optical grid by its georeferencing and a displacement."""

    optical: RasterSource
    optical_bands: tuple[int, ...]
    sar: SarOnGrid

    @classmethod
    def opened(cls, optical: RasterSource, sar: RasterSource, sensors: SensorBands) -> "Pair":
        """Return the pair as georeferenced.

        Raises:
            BandCountError: a file's bands do not match the settings.
            GridError: only one of the files has a CRS.
            NoOverlapError: the files do not overlap.
        """
        optical_bands = optical.band_indexes(sensors.optical.names, sensors.optical.indexes, "optical")
        sar_bands = sar.band_indexes(sensors.sar.names, sensors.sar.indexes, "sar")
        # Gradients already average speckle; in tests, a Lee filter before them increased edge displacement.
        unfiltered = TiledSar.model_validate({**sensors.sar.model_dump(), "speckle_filter": "none"}, extra="ignore")
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
        """SAR pixel size in optical pixels, rounded, at least 1."""
        return max(1, round(1 / max(*self.sar.mapping.source_px_per_target_px, 1e-3)))

    def optical_reduced(self, window: Window, factor: int) -> Block:
        """Return the optical bands of a window of the grid downsampled by a whole factor."""
        return block_means(self.optical.read(window.refined(factor), self.optical_bands), factor)

    def sar_reduced(self, window: Window, factor: int) -> Block:
        """Return the SAR bands of a window of the grid downsampled by a whole factor."""
        return block_means(self.sar.read(window.refined(factor)), factor)


def block_means(block: Block, factor: int) -> Block:
    """Return means over blocks of `factor` x `factor` pixels, float32; valid where at least half of the pixels are."""
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
    """Return the evidence from correlating windows of both scenes' edge structure.

    Memory: one window of both scenes, or `FRAME_PX` pixels, independent of the scene's size.

    Args:
        pair: the scenes as georeferenced.
        layout: windows on the optical grid downsampled by `factor`.
        prediction: centre of the search.
        search_px: maximum deviation from it, in pixels of the downsampled grid.
        factor: downsampling factor.
        label: label of the progress bar.
    """
    matcher = _Matcher(pair.displaced(prediction), search_px, factor)
    total = np.zeros((2 * search_px + 1,) * 2, np.float64)
    ties: list[Tie] = []
    places: list[Point[float]] = []
    for window in progress(layout.windows, label):
        surface = matcher.correlate(window)
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
        if peak.strength >= MIN_PEAK_STRENGTH:
            shift = compose(prediction, place, Shift(peak.dy * factor, peak.dx * factor))
            ties.append(Tie(y=y, x=x, dy=shift.dy, dx=shift.dx, strength=peak.strength))
    mean = (total / max(len(places), 1)).astype(np.float32)
    return Evidence(mean, tuple(ties), tuple(places), layout.overlap, pair.shape, prediction, factor)


def compose(prediction: Displacement, place: Point[float], residual: Shift[float]) -> Shift[float]:
    """Return the total displacement at a place, from a residual measured on SAR already moved by a prediction."""
    predicted = prediction.at_point(Point(place.y + residual.dy, place.x + residual.dx))
    return Shift(residual.dy + predicted.dy, residual.dx + predicted.dx)


@dataclass(frozen=True)
class _Matcher:
    """Structure and correlation of both images, window by window, on the grid downsampled by `factor`."""

    pair: Pair
    search_px: int
    factor: int

    def correlate(self, window: Window) -> CorrelationSurface | None:
        """Return a window's correlation at all shifts; None if too little of it has structure in both images."""
        template, search = self._structures(window)
        margin = self.search_px
        if _share(template) < MIN_VALID_SHARE or _share(search[margin:-margin, margin:-margin]) < MIN_VALID_SHARE:
            return None
        return correlation_surface(template, search, margin)

    def _structures(self, window: Window) -> tuple[Structure, Structure]:
        frame = self._frame
        if frame is None:
            return self._compute(window)
        template, search = frame
        rows, cols = window.slices
        wider = slice(rows.start, rows.stop + 2 * self.search_px), slice(cols.start, cols.stop + 2 * self.search_px)
        return template[rows, cols], search[wider]

    @cached_property
    def _frame(self) -> tuple[Structure, Structure] | None:
        height, width = (side // self.factor for side in self.pair.shape)
        small = self.pair.shape[0] * self.pair.shape[1] <= FRAME_PX
        return self._compute(Window(0, 0, height, width)) if small else None

    def _compute(self, window: Window) -> tuple[Structure, Structure]:
        reach = STRUCTURE_REACH_PX
        optical = self.pair.optical_reduced(window.grown(reach), self.factor)
        sar = self.pair.sar_reduced(window.grown(self.search_px + reach), self.factor)
        return _structure(optical), _structure(sar)


def _structure(block: Block) -> Structure:
    inner = slice(STRUCTURE_REACH_PX, -STRUCTURE_REACH_PX)
    return edge_structure(block.values, block.valid)[inner, inner]


def _share(structure: Structure) -> float:
    return float(np.count_nonzero(structure)) / structure.size
