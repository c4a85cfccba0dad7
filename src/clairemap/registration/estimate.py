"""Displacement between a scene's SAR and optical images: coarse search, then refinement."""

import math
from dataclasses import replace

import numpy as np

from clairemap.artefacts.registration import TERMS, Kind, Search
from clairemap.raster.opening import bounded_cache
from clairemap.raster.source import RasterSource
from clairemap.registration.consensus import Inliers, consensus_inliers, log10_false_alarms
from clairemap.registration.correlation import highest_peak
from clairemap.registration.fit import INLIER_RADIUS_PX, Ties, select_model
from clairemap.registration.judge import judge
from clairemap.registration.match import Evidence, Pair, match
from clairemap.registration.model import MIN_TIES, NO_DISPLACEMENT, Displacement
from clairemap.registration.result import Fit, as_delivered
from clairemap.registration.wide import find_similarity
from clairemap.registration.windows import WindowLayout, spread_windows
from clairemap.settings import RegistrationSettings, SensorBands

COARSEST_FACTOR = 4
"""Maximum downsampling factor of the coarse search."""

MIN_COARSE_SIDE_PX = 256
"""Minimum length of the coarse grid's shorter side."""

MAX_COARSE_WINDOWS = 64
"""Maximum number of windows in the coarse search."""

FINE_SEARCH_PX = 12
"""Maximum deviation from the prediction in a refinement pass, in pixels of the coarser sensor."""

CONVERGED_PX = 4.0
"""Matching is repeated while the displacement differs from the prediction by more than this anywhere in the scene."""

MAX_PASSES = 4
"""Maximum number of refinement passes."""

WINDOWS_ALONG_SIDE = 4
"""Minimum number of windows along the scene's shorter side: in small scenes, windows shrink to keep enough ties."""

MIN_WINDOW_PX = 32
"""Minimum window size: smaller windows have too few edges for a significant match."""

MAX_GRADIENT: dict[Search, float] = {"near": 0.03, "wide": 0.12}
"""Maximum difference in rotation (radians) and scale from a prediction: georeferencing is right to about 1.7 degrees,
the wide search to its step size."""

MODEL_KINDS: dict[Search, tuple[Kind, ...]] = {
    "near": ("translation", "similarity", "affine", "polynomial"),
    "wide": ("similarity", "affine"),
}
"""Model kinds, simplest first. After a wide search, curvature cannot be separated from residual rotation and scale."""

MIN_GAIN: dict[Search, float] = {"near": 0.1, "wide": 0.5}
"""Minimum relative gain of a more complex model on left-out ties. A wide search needs more: on 100 real pairs (SRIF),
similarities are closer to the truth than affine models that gain a third."""


def estimate_displacement(
    optical: RasterSource, sar: RasterSource, sensors: SensorBands, settings: RegistrationSettings
) -> Fit:
    """Return the displacement of SAR against optical, with its evidence and a verdict.

    The search starts near the georeferencing. If that result is rejected and the settings allow it, all rotations and
    scales from 1/2 to 2 are tried. With model "none" the files are checked and nothing is estimated. Memory: windows
    and overviews, independent of the scene's size.

    Raises:
        BandCountError: a file's bands do not match the settings.
        GridError: only one of the files has a CRS.
        NoOverlapError: the files do not overlap.
        UnreadableFileError: a file is truncated or damaged.
    """
    with bounded_cache():
        return _estimate(Pair.opened(optical, sar, sensors), settings)


def _estimate(pair: Pair, settings: RegistrationSettings) -> Fit:
    if settings.model == "none":
        return as_delivered()
    near = _search_near(pair, settings)
    if near.verdict != "rejected":
        return near
    wide = _search_wide(pair, settings) if settings.search_rotation else None
    if wide is not None and wide.verdict != "rejected":
        return wide
    searched = f"searched within {settings.max_shift_px} px (registration.max_shift_px)"
    also = " and at all rotations" if settings.search_rotation else ""
    return replace(near, reason=f"{near.reason}; {searched}{also}")


def _search_near(pair: Pair, settings: RegistrationSettings) -> Fit:
    factor = 1
    while factor < COARSEST_FACTOR and min(pair.shape) // (2 * factor) >= MIN_COARSE_SIDE_PX:
        factor *= 2
    search = math.ceil(settings.max_shift_px / factor) + 1
    layout = _layout(pair.shape, factor, settings.window_px, MAX_COARSE_WINDOWS, closeness=2)
    evidence = match(pair, layout, NO_DISPLACEMENT, search, factor, "coarse matching")
    return _refine(pair, _first_guess(evidence, MAX_GRADIENT["near"]), "near", settings)


def _search_wide(pair: Pair, settings: RegistrationSettings) -> Fit | None:
    similar = find_similarity(pair)
    return None if similar is None else _refine(pair, similar.displacement, "wide", settings)


def _refine(pair: Pair, guess: Displacement, search: Search, settings: RegistrationSettings) -> Fit:
    """Return the displacement near a guess, with a verdict.

    The first pass uses sparser windows and improves the guess. The last pass uses a prediction close to its own result.
    """
    kinds = tuple(kind for kind in TERMS if kind == settings.model) or MODEL_KINDS[search]
    for number in range(MAX_PASSES):
        prediction = _round_translation(guess)
        factor = pair.displaced(prediction).sar_px
        max_windows, closeness = (settings.max_windows, 4) if number else (settings.max_windows // 4, 2)
        layout = _layout(pair.shape, factor, settings.window_px, max_windows, closeness)
        evidence = match(pair, layout, prediction, FINE_SEARCH_PX, factor, "matching windows")
        ties = _ties(evidence)
        guess = select_model(ties, _first_guess(evidence, MAX_GRADIENT[search]), kinds, MIN_GAIN["near"])
        moved = np.hypot(*(guess.over(pair.shape) - prediction.over(pair.shape)).T).max()
        if number and moved <= CONVERGED_PX * factor:
            break
    model = select_model(ties, guess, kinds, MIN_GAIN[search])
    return judge(evidence, ties, model, search, settings.min_inliers)


def _layout(shape: tuple[int, int], factor: int, window_px: int, max_windows: int, closeness: int) -> WindowLayout:
    """Return windows on the grid downsampled by `factor`; their spacing is side / `closeness`."""
    coarse = (shape[0] // factor, shape[1] // factor)
    side = min(window_px, max(MIN_WINDOW_PX, min(coarse) // WINDOWS_ALONG_SIDE))
    return spread_windows(coarse, side, side / closeness, max_windows)


def _ties(evidence: Evidence) -> Ties:
    places = np.array([(tie.y, tie.x) for tie in evidence.ties]).reshape(-1, 2)
    offsets = np.array([(tie.dy, tie.dx) for tie in evidence.ties]).reshape(-1, 2)
    return Ties(places, offsets, evidence.scene_shape, INLIER_RADIUS_PX * evidence.factor, evidence.overlap)


def _first_guess(evidence: Evidence, max_gradient: float) -> Displacement:
    """Return an initial displacement: the shift of the mean correlation's peak, or the affine consensus of the ties.

    The shift works where single windows are ambiguous, the consensus where the displacement varies over the scene.
    The one less likely to arise by chance is returned.
    """
    if not evidence.places:
        return evidence.prediction
    ties = _ties(evidence)
    peak = highest_peak(evidence.surface)
    shift = np.array([peak.dy, peak.dx]) * evidence.factor
    residuals = ties.offsets - evidence.prediction.at_places(ties.places)
    common = ((residuals - shift) ** 2).sum(axis=1) < ties.radius_px**2
    linear = consensus_inliers(ties.places, residuals, ties.frame, ties.radius_px, max_gradient)
    if _log10_alarms(evidence, linear, MIN_TIES["affine"]) < _log10_alarms(evidence, common, 0):
        model = ties.frame.solve("affine", ties.places, ties.offsets, linear.astype(np.float64))
        return model or evidence.prediction
    return evidence.prediction.shifted(float(shift[0]), float(shift[1]))


def _log10_alarms(evidence: Evidence, inlier: Inliers, chosen: int) -> float:
    single = min(math.pi * INLIER_RADIUS_PX**2 / evidence.surface.size, 1.0)
    return log10_false_alarms(inlier.sum() / evidence.overlap, len(inlier) / evidence.overlap, chosen, single)


def _round_translation(model: Displacement) -> Displacement:
    """Return a translation rounded to whole pixels, which needs no resampling; other models unchanged."""
    if model.kind != "translation":
        return model
    return Displacement.translation(round(model.dy_px[0]), round(model.dx_px[0]))
