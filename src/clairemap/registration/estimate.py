"""The displacement between a scene's SAR and optical picture: looked for on a coarse grid, then on the fine one."""

import math
from dataclasses import replace

import numpy as np

from clairemap.artefacts.registration import TERMS, Kind, Search
from clairemap.raster.opening import bounded_cache
from clairemap.raster.source import RasterSource
from clairemap.registration.consensus import Inliers, agreeing, log10_false_alarms
from clairemap.registration.correlation import highest_peak
from clairemap.registration.fit import INLIER_RADIUS_PX, Ties, simplest
from clairemap.registration.judge import judged
from clairemap.registration.match import Evidence, Pair, match
from clairemap.registration.model import LEAST_TIES, NO_DISPLACEMENT, Displacement
from clairemap.registration.result import Fit, as_delivered
from clairemap.registration.wide import most_similar
from clairemap.registration.windows import WindowLayout, spread_windows
from clairemap.settings import RegistrationSettings, SensorBands

COARSEST_FACTOR = 4
"""Largest factor by which the first look is coarser."""

COARSE_SIDE_PX = 256
"""Pixels along the coarse grid's shorter side at the least."""

COARSE_WINDOWS = 64
"""Windows of the first look at the most."""

FINE_SEARCH_PX = 12
"""Largest deviation from a prediction that a fine look allows for, in pixels of the coarser sensor."""

SETTLED_PX = 4.0
"""A look is repeated if its displacement is further than this from what it was based on anywhere."""

LOOKS = 4
"""Looks at the most."""

WINDOWS_ALONG_SIDE = 4
"""Windows shrink until this many lie along the scene's shorter side: in a small scene few large ones prove nothing."""

SMALLEST_WINDOW_PX = 32
"""Below this a window holds too few edges to be told from chance."""

STEEPEST: dict[Search, float] = {"near": 0.03, "wide": 0.12}
"""By how much rotation (radians) and scale may differ from a prediction: georeferencing is right to about 1.7 degrees,
the search over rotations and scales to its steps."""

MODEL_KINDS: dict[Search, tuple[Kind, ...]] = {
    "near": ("translation", "similarity", "affine", "polynomial"),
    "wide": ("similarity", "affine"),
}
"""Kinds of models, the simplest first. After a wide search bends can't be told from what the search left."""

LEAST_GAIN: dict[Search, float] = {"near": 0.1, "wide": 0.5}
"""By which share a richer model must predict left-out ties better. Pictures that had to be turned differ in more than
place: of 100 real pairs (SRIF) similarities lie nearer to the truth than affine models that gain a third."""


def registered(optical: RasterSource, sar: RasterSource, sensors: SensorBands, settings: RegistrationSettings) -> Fit:
    """Return the displacement of SAR against optical, with its evidence and a verdict.

    It is looked for near the georeferencing first. If that is rejected and the settings allow, any rotation and
    scales from 1/2 to 2 are tried. With the model "none" the files are checked, and nothing is estimated. Memory:
    windows and overviews, however large the scene.

    Raises:
        BandCountError: a file has other bands than the settings say.
        GridError: just one of the files has a CRS.
        NoOverlapError: they share no ground.
        UnreadableFileError: a file is truncated or damaged.
    """
    with bounded_cache():
        return _registered(Pair.opened(optical, sar, sensors), settings)


def _registered(pair: Pair, settings: RegistrationSettings) -> Fit:
    if settings.model == "none":
        return as_delivered()
    near = _near(pair, settings)
    if near.verdict != "rejected":
        return near
    wide = _wide(pair, settings) if settings.search_rotation else None
    if wide is not None and wide.verdict != "rejected":
        return wide
    looked = f"looked for within {settings.max_shift_px} px (registration.max_shift_px)"
    also = " and at any rotation" if settings.search_rotation else ""
    return replace(near, reason=f"{near.reason}; {looked}{also}")


def _near(pair: Pair, settings: RegistrationSettings) -> Fit:
    factor = 1
    while factor < COARSEST_FACTOR and min(pair.shape) // (2 * factor) >= COARSE_SIDE_PX:
        factor *= 2
    search = math.ceil(settings.max_shift_px / factor) + 1
    layout = _layout(pair.shape, factor, settings.window_px, COARSE_WINDOWS, closeness=2)
    evidence = match(pair, layout, NO_DISPLACEMENT, search, factor, "matching coarsely")
    return _refined(pair, _agreed(evidence, STEEPEST["near"]), "near", settings)


def _wide(pair: Pair, settings: RegistrationSettings) -> Fit | None:
    similar = most_similar(pair)
    return None if similar is None else _refined(pair, similar.displacement, "wide", settings)


def _refined(pair: Pair, guess: Displacement, search: Search, settings: RegistrationSettings) -> Fit:
    """Return the displacement near a guess, judged.

    The first look, at windows further apart, improves the guess; the last one is based on a displacement near its own.
    """
    kinds = tuple(kind for kind in TERMS if kind == settings.model) or MODEL_KINDS[search]
    for look in range(LOOKS):
        prediction = _by_whole_pixels(guess)
        factor = pair.displaced(prediction).sar_px
        most, closeness = (settings.max_windows, 4) if look else (settings.max_windows // 4, 2)
        layout = _layout(pair.shape, factor, settings.window_px, most, closeness)
        evidence = match(pair, layout, prediction, FINE_SEARCH_PX, factor, "matching windows")
        ties = _ties(evidence)
        guess = simplest(ties, _agreed(evidence, STEEPEST[search]), kinds, LEAST_GAIN["near"])
        moved = np.hypot(*(guess.over(pair.shape) - prediction.over(pair.shape)).T).max()
        if look and moved <= SETTLED_PX * factor:
            break
    model = simplest(ties, guess, kinds, LEAST_GAIN[search])
    return judged(evidence, ties, model, search, settings.min_inliers)


def _layout(shape: tuple[int, int], factor: int, window_px: int, most: int, closeness: int) -> WindowLayout:
    """Return windows on the grid coarser by a factor, a share of their side apart."""
    coarse = (shape[0] // factor, shape[1] // factor)
    side = min(window_px, max(SMALLEST_WINDOW_PX, min(coarse) // WINDOWS_ALONG_SIDE))
    return spread_windows(coarse, side, side / closeness, most)


def _ties(evidence: Evidence) -> Ties:
    places = np.array([(tie.y, tie.x) for tie in evidence.ties]).reshape(-1, 2)
    offsets = np.array([(tie.dy, tie.dx) for tie in evidence.ties]).reshape(-1, 2)
    return Ties(places, offsets, evidence.scene_shape, INLIER_RADIUS_PX * evidence.factor, evidence.overlap)


def _agreed(evidence: Evidence, steepest: float) -> Displacement:
    """Return a first displacement: that at which all windows together correlate best, or that on which most ties agree.

    The first holds where single windows say little, the second where the displacement varies over the scene. The one
    is taken whose agreement is harder to explain by chance.
    """
    if not evidence.places:
        return evidence.prediction
    ties = _ties(evidence)
    peak = highest_peak(evidence.surface)
    shift = np.array([peak.dy, peak.dx]) * evidence.factor
    residuals = ties.offsets - evidence.prediction.at_places(ties.places)
    common = ((residuals - shift) ** 2).sum(axis=1) < ties.radius_px**2
    linear = agreeing(ties.places, residuals, ties.frame, ties.radius_px, steepest)
    if _log10_false_alarms(evidence, linear, LEAST_TIES["affine"]) < _log10_false_alarms(evidence, common, 0):
        model = ties.frame.solved("affine", ties.places, ties.offsets, linear.astype(np.float64))
        return model or evidence.prediction
    return evidence.prediction.shifted(float(shift[0]), float(shift[1]))


def _log10_false_alarms(evidence: Evidence, inlier: Inliers, chosen: int) -> float:
    single = min(math.pi * INLIER_RADIUS_PX**2 / evidence.surface.size, 1.0)
    return log10_false_alarms(inlier.sum() / evidence.overlap, len(inlier) / evidence.overlap, chosen, single)


def _by_whole_pixels(model: Displacement) -> Displacement:
    """Return a translation by whole pixels, which needs no resampling; other models as they are."""
    if model.kind != "translation":
        return model
    return Displacement.translation(round(model.dy_px[0]), round(model.dx_px[0]))
