"""Tie points between an optical and a SAR scene, from windows spread over the scene."""

from dataclasses import dataclass

import numpy as np

from clairemap.console import progress
from clairemap.grid.window import Window
from clairemap.raster.source import Block, RasterSource
from clairemap.registration.correlation import Surface, correlation_surface, highest_peak
from clairemap.registration.mapping import mapping_between
from clairemap.registration.structure import STRUCTURE_REACH_PX, Structure, edge_structure
from clairemap.registration.warp import SarOnGrid
from clairemap.settings import RegistrationSettings, SarSettings, SensorBands

WINDOWS_ALONG_SIDE = 4
"""Windows shrink until this many lie along the scene's shorter side: in a small scene few large ones prove nothing."""

SMALLEST_WINDOW_PX = 32
"""Below this a window holds too few edges to be told from chance."""

LEAST_VALID = 0.6
"""Share of a window that must have structure in both pictures."""

DISTINCT_PEAK = 0.5
"""Strength from which a window's peak makes a tie. Below, the second best place is about as good."""


@dataclass(frozen=True)
class Tie:
    """One window's best displacement: where its centre lies and by how much SAR is displaced, optical pixels."""

    y: float
    x: float
    dy: float
    dx: float
    strength: float


@dataclass(frozen=True)
class Evidence:
    """What the windows of a scene say about its displacement.

    `surface` is the mean of all windows' correlations, which finds a common displacement even where single windows
    do not; `ties` are the windows with a distinct peak of their own, `places` the centres (y, x) of all that could
    be correlated, `overlap` how many windows hold the same pixel.
    """

    surface: Surface
    ties: tuple[Tie, ...]
    places: tuple[tuple[float, float], ...]
    overlap: float
    scene_shape: tuple[int, int]

    @property
    def max_shift_px(self) -> int:
        """Largest displacement that was looked for."""
        return len(self.surface) // 2


@dataclass(frozen=True)
class Layout:
    """Windows of one size on a regular grid over a scene."""

    windows: tuple[Window, ...]
    overlap: float


def spread_windows(shape: tuple[int, int], settings: RegistrationSettings) -> Layout:
    """Return windows spread evenly over a scene, overlapping by half at the most, and not more than allowed."""
    side = min(settings.window_px, max(SMALLEST_WINDOW_PX, min(shape) // WINDOWS_ALONG_SIDE))
    height, width = min(side, shape[0]), min(side, shape[1])
    step = max(side / 2, 1.0)
    while _count(shape[0], height, step) * _count(shape[1], width, step) > settings.max_windows:
        step *= 1.05
    starts = [
        np.linspace(0, size - extent, _count(size, extent, step)).round().astype(int)
        for size, extent in zip(shape, (height, width), strict=True)
    ]
    windows = tuple(Window(int(y), int(x), height, width) for y in starts[0] for x in starts[1])
    covered = min(len(windows) * height * width, shape[0] * shape[1])
    return Layout(windows, max(len(windows) * height * width / covered, 1.0))


def _count(size: int, extent: int, step: float) -> int:
    return int((size - extent) / step) + 1


def match_scene(
    optical: RasterSource, sar: RasterSource, sensors: SensorBands, settings: RegistrationSettings
) -> Evidence:
    """Return what correlating windows of both scenes' edge structure says about their displacement.

    SAR is put on the optical grid by its georeferencing alone. Memory: one window of both, however large the scene.

    Raises:
        BandCountError: a file has other bands than the settings say.
        GridError: just one of the files has a CRS.
        NoOverlapError: they share no ground.
    """
    pair = _Pair.opened(optical, sar, sensors)
    layout = spread_windows(optical.shape, settings)
    total = np.zeros((2 * settings.max_shift_px + 1,) * 2, np.float64)
    ties: list[Tie] = []
    places: list[tuple[float, float]] = []
    for window in progress(layout.windows, "matching windows"):
        surface = pair.correlated(window, settings.max_shift_px)
        if surface is None:
            continue
        total += surface
        y, x = window.y0 + (window.height - 1) / 2, window.x0 + (window.width - 1) / 2
        places.append((y, x))
        peak = highest_peak(surface)
        if peak.strength >= DISTINCT_PEAK:
            ties.append(Tie(y, x, peak.dy, peak.dx, peak.strength))
    mean = (total / max(len(places), 1)).astype(np.float32)
    return Evidence(mean, tuple(ties), tuple(places), layout.overlap, optical.shape)


@dataclass(frozen=True)
class _Pair:
    """Both scenes, SAR on the optical grid."""

    optical: RasterSource
    optical_bands: tuple[int, ...]
    sar: SarOnGrid

    @classmethod
    def opened(cls, optical: RasterSource, sar: RasterSource, sensors: SensorBands) -> "_Pair":
        optical_bands = optical.band_indexes(sensors.optical.names, sensors.optical.indexes)
        sar_bands = sar.band_indexes(sensors.sar.names, sensors.sar.indexes)
        # Gradients average speckle themselves; a Lee filter before them was measured to displace edges further.
        unfiltered = SarSettings.model_validate({**sensors.sar.model_dump(), "speckle_filter": "none"})
        return cls(optical, optical_bands, SarOnGrid(sar, sar_bands, unfiltered, mapping_between(optical, sar)))

    def correlated(self, window: Window, max_shift_px: int) -> Surface | None:
        """Return a window's correlation at all shifts; None if too little of it has structure in both pictures."""
        optical = self.optical.read(window.grown(STRUCTURE_REACH_PX), self.optical_bands)
        template = _structure(optical)
        if _share(template) < LEAST_VALID:
            return None
        search = _structure(self.sar.read(window.grown(max_shift_px + STRUCTURE_REACH_PX)))
        if _share(search[max_shift_px:-max_shift_px, max_shift_px:-max_shift_px]) < LEAST_VALID:
            return None
        return correlation_surface(template, search, max_shift_px)


def _structure(block: Block) -> Structure:
    """Return the structure of a block without the margin that it takes to compute it."""
    inner = slice(STRUCTURE_REACH_PX, -STRUCTURE_REACH_PX)
    return edge_structure(block.values.astype(np.float32), block.valid)[inner, inner]


def _share(structure: Structure) -> float:
    return float(np.count_nonzero(structure)) / structure.size
