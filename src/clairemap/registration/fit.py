"""One displacement from many ties, and whether to believe it."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from clairemap.registration.correlation import highest_peak
from clairemap.registration.match import Evidence, Tie
from clairemap.registration.model import NO_DISPLACEMENT, Translation

Verdict = Literal["good", "weak", "rejected", "single_sensor"]

INLIER_RADIUS_PX = 2.0
"""Ties this near to the common displacement agree with it: single ties scatter by up to 1.4 px."""

LARGEST_CHANCE = 1e-3
"""Probability that unrelated pictures agree so well, above which a displacement is rejected.

Of 74 pairs of unrelated, rotated or far displaced real scenes none came below 1e-2, of 23 true ones none above 1e-4.
"""

GOOD_INLIER_SHARE = 0.6
"""Share of agreeing ties below which one displacement is a weak description of the scene."""

GOOD_SPLIT_HALF_PX = 0.5
"""Standard error above which a displacement is weak: the usual demand on co-registration is half a pixel."""

GOOD_COVERAGE = 0.4
"""Share of the scene's parts with an agreeing tie, below which the displacement may not hold everywhere."""

PARTS_ALONG_SIDE = 4
"""The scene is divided into as many parts along each side to see where ties agree."""

SMALLEST_WORTH_WARPING_PX = 0.25
"""Displacements below this stay: resampling costs more sharpness than they cost in alignment."""


@dataclass(frozen=True)
class Quality:
    """How well ties agree with the displacement. Lengths in optical pixels; None where too few ties agree.

    `split_half_px` is a standard error: half the distance between displacements from disjoint halves of the
    inliers. `coverage` is the share of the scene's parts that hold an inlier, among those that could be matched.
    """

    ties: int
    inliers: int
    inlier_share: float
    rmse_px: float | None
    split_half_px: float | None
    coverage: float


NO_QUALITY = Quality(0, 0, 0.0, None, None, 0.0)


@dataclass(frozen=True)
class Fit:
    """A displacement with its evidence; `inlier` says for each tie whether it agrees."""

    verdict: Verdict
    reason: str
    model: Translation
    quality: Quality
    ties: tuple[Tie, ...] = ()
    inlier: tuple[bool, ...] = ()

    @property
    def applied(self) -> bool:
        """Whether SAR is to be moved: the displacement is believed, worth resampling and beyond its own error."""
        error = self.quality.split_half_px
        least = max(SMALLEST_WORTH_WARPING_PX, 2 * error if error is not None else 1.0)
        return self.verdict in ("good", "weak") and self.model.length_px >= least


def single_sensor() -> Fit:
    """Return the fit of a scene with one sensor: there is nothing to displace."""
    return Fit("single_sensor", "the scene has one sensor only: nothing to register", NO_DISPLACEMENT, NO_QUALITY)


def fit_translation(evidence: Evidence, min_inliers: int) -> Fit:
    """Return the translation at which all windows together correlate best, judged by the windows' own ties.

    Both are independent enough to contradict each other: pictures without common structure have a best common
    displacement too, but their windows do not agree with it. The verdict is

    - rejected, if fewer than `min_inliers` ties agree, if chance would make as many agree (binomial, overlapping
      windows counted once), or if the displacement lies at the end of the search;
    - weak, if many ties disagree, its standard error is large, or the agreeing ties leave much of the scene out;
    - good otherwise.
    """
    if not evidence.places:
        return Fit("rejected", "no window has structure in both sensors", NO_DISPLACEMENT, NO_QUALITY)
    peak = highest_peak(evidence.surface)
    model = Translation(peak.dy, peak.dx)
    offsets = np.array([(tie.dy, tie.dx) for tie in evidence.ties]).reshape(-1, 2)
    residuals = np.hypot(*(offsets - (peak.dy, peak.dx)).T)
    inlier = residuals < INLIER_RADIUS_PX
    quality = _quality(evidence, offsets, residuals, inlier)
    verdict, reason = _judged(evidence, model, quality, min_inliers)
    return Fit(verdict, reason, model, quality, evidence.ties, tuple(bool(each) for each in inlier))


def _quality(
    evidence: Evidence, offsets: NDArray[np.float64], residuals: NDArray[np.float64], inlier: NDArray[np.bool_]
) -> Quality:
    places = np.array([(tie.y, tie.x) for tie in evidence.ties]).reshape(-1, 2)
    inliers = int(inlier.sum())
    possible = _parts(np.array(evidence.places), evidence.scene_shape)
    reached = _parts(places[inlier], evidence.scene_shape)
    return Quality(
        ties=len(offsets),
        inliers=inliers,
        inlier_share=inliers / max(len(offsets), 1),
        rmse_px=math.sqrt(float((residuals[inlier] ** 2).mean())) if inliers else None,
        split_half_px=_split_half_px(places[inlier], offsets[inlier]),
        coverage=len(reached) / len(possible),
    )


def _parts(places: NDArray[np.float64], shape: tuple[int, int]) -> set[tuple[int, int]]:
    cells = (places * PARTS_ALONG_SIDE / np.array(shape)).astype(int)
    return {(int(row), int(col)) for row, col in cells}


def _split_half_px(places: NDArray[np.float64], offsets: NDArray[np.float64]) -> float | None:
    """Return half the distance between the mean displacements of two halves, upper and lower, left and right.

    Halves of neighbours, not drawn at random: overlapping windows must not vouch for each other.
    """
    if len(places) < 4:
        return None
    squares = []
    for axis in (0, 1):
        order = np.argsort(places[:, axis], kind="stable")
        first, second = np.array_split(order, 2)
        squares.append(float(((offsets[first].mean(axis=0) - offsets[second].mean(axis=0)) ** 2).sum()) / 4)
    return math.sqrt(sum(squares) / len(squares))


def chance_of_agreement(inliers: int, ties: int, overlap: float, max_shift_px: int) -> float:
    """Return how probable it is that at least so many of the ties agree with a given displacement by chance.

    Each tie of unrelated pictures lies anywhere in the search; of `overlap` windows that share pixels one counts.
    """
    if inliers == 0:
        return 1.0
    single = min(math.pi * INLIER_RADIUS_PX**2 / (2 * max_shift_px + 1) ** 2, 1.0)
    agreeing, tried = inliers / overlap, ties / overlap
    # The binomial's upper tail, continued to fractions of ties by the incomplete beta function.
    return float(special.betainc(agreeing, tried - agreeing + 1, single))


def _judged(evidence: Evidence, model: Translation, quality: Quality, min_inliers: int) -> tuple[Verdict, str]:
    agreeing = f"{quality.inliers} of {quality.ties} distinct ties agree"
    limit = evidence.max_shift_px
    if quality.inliers < min_inliers:
        return "rejected", f"{agreeing}, fewer than registration.min_inliers {min_inliers}"
    chance = chance_of_agreement(quality.inliers, quality.ties, evidence.overlap, limit)
    if chance > LARGEST_CHANCE:
        return "rejected", f"{agreeing}, as unrelated pictures would with a chance of {chance:.2g}"
    if max(abs(model.dy_px), abs(model.dx_px)) > limit - 1:
        return "rejected", f"the best displacement lies at the end of the search: raise max_shift_px above {limit}"
    if faults := _weaknesses(quality):
        return "weak", f"{agreeing}, but " + ", ".join(faults)
    return "good", agreeing


def _weaknesses(quality: Quality) -> list[str]:
    faults = []
    if quality.inlier_share < GOOD_INLIER_SHARE:
        faults.append("the others contradict them")
    if quality.split_half_px is None or quality.split_half_px > GOOD_SPLIT_HALF_PX:
        error = "unknown" if quality.split_half_px is None else f"{quality.split_half_px:.2f} px"
        faults.append(f"the displacement's standard error is {error}")
    if quality.coverage < GOOD_COVERAGE:
        faults.append(f"they cover {quality.coverage:.0%} of the scene only")
    return faults
