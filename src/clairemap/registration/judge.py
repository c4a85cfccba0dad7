"""Whether to believe a displacement."""

import math

import numpy as np
from numpy.typing import NDArray

from clairemap.artefacts.registration import Quality, Search, Verdict
from clairemap.registration.consensus import log10_false_alarms
from clairemap.registration.fit import Ties, fitted, left_out_rmse_px, part_numbers, split_half_px
from clairemap.registration.match import Evidence
from clairemap.registration.model import LEAST_TIES, NO_DISPLACEMENT, Displacement
from clairemap.registration.result import NO_QUALITY, Fit

MOST_FALSE_ALARMS: dict[Search, float] = {"near": 1e-3, "wide": 1e-5}
"""Expected number of equally large agreements among unrelated pictures, above which a displacement is rejected. Of the
thousand rotations and scales that a wide search tries about a hundred are independent."""

GOOD_INLIER_SHARE = 0.6
"""Share of agreeing ties below which the model is a weak description of the scene."""

GOOD_LEFT_OUT_PX = 1.45
"""Bounded RMSE of left-out ties above which the model is a weak description; ties off by 2 px or more count as 2."""

GOOD_SPLIT_HALF_PX = 0.5
"""Standard error above which a displacement is weak: the usual demand on co-registration is half a pixel."""

GOOD_COVERAGE = 0.6
"""Share of the scene's parts where most ties agree, below which the displacement may not hold everywhere."""


def judged(evidence: Evidence, ties: Ties, model: Displacement, search: Search, min_inliers: int) -> Fit:
    """Return a displacement with its verdict.

    - rejected, if fewer than `min_inliers` ties agree, or if unrelated pictures could be expected to agree as well;
    - weak, if ties that were left out of the fit contradict it, its standard error is large, or the agreeing ties
      leave much of the scene out;
    - good otherwise.

    A rotation or scale that the georeferencing knows nothing of takes strong evidence: what a wide search finds is
    good or rejected.
    """
    if not evidence.places:
        return Fit("rejected", "no window has structure in both sensors", NO_DISPLACEMENT, NO_QUALITY, search=search)
    quality = _quality(evidence, ties, model)
    verdict, reason = _verdict(quality, search, min_inliers, evidence.factor)
    if search == "wide" and verdict == "weak":
        verdict = "rejected"
    residuals = ties.residuals(model)
    inlier = tuple(bool(each) for each in residuals < ties.radius_px)
    return Fit(
        verdict, reason, model, quality, evidence.ties, tuple(float(each) for each in residuals), inlier, search
    )  # fmt: skip


def _quality(evidence: Evidence, ties: Ties, model: Displacement) -> Quality:
    residuals, inlier = ties.residuals(model), ties.agreeing(model)
    inliers = int(inlier.sum())
    possible = np.unique(part_numbers(np.array(evidence.places), evidence.scene_shape))
    enough = inliers >= 2 * LEAST_TIES[model.kind]
    return Quality(
        ties=len(residuals),
        inliers=inliers,
        inlier_share=inliers / max(len(residuals), 1),
        rmse_px=_root_mean_square(residuals[inlier]) if inliers else None,
        cross_validated_rmse_px=left_out_rmse_px(ties, model) if enough else None,
        split_half_px=split_half_px(ties, model),
        coverage=_parts_agreeing(ties.parts, inlier) / len(possible),
        false_alarms=false_alarms(ties, model, evidence.surface.size * evidence.factor**2),
    )


def _root_mean_square(values: NDArray[np.float64]) -> float:
    return math.sqrt(float((values**2).mean()))


def _parts_agreeing(parts: NDArray[np.int64], inlier: NDArray[np.bool_]) -> int:
    return sum(bool(inlier[parts == part].mean() >= 0.5) for part in np.unique(parts))


def false_alarms(ties: Ties, model: Displacement, searched_px2: float) -> float:
    """Return how many so large agreements are expected among unrelated pictures, 1000 at the most.

    Their ties lie anywhere in a search of `searched_px2` square pixels; of ties whose windows overlap one counts. A
    rich model is agreed on by chance more easily: the model counts as believable if a simpler one already is.
    """
    single = min(math.pi * ties.radius_px**2 / searched_px2, 1.0)
    kinds = list(LEAST_TIES)
    logarithms = []
    for kind in kinds[: kinds.index(model.kind) + 1]:
        agreeing = int(ties.agreeing(fitted(ties, kind, model)).sum())
        logarithms.append(
            log10_false_alarms(agreeing / ties.overlap, len(ties.places) / ties.overlap, LEAST_TIES[kind], single)
        )
    return float(10 ** min(*logarithms, 3.0))


def _verdict(quality: Quality, search: Search, min_inliers: int, factor: int) -> tuple[Verdict, str]:
    agreeing = f"{quality.inliers} of {quality.ties} distinct ties agree"
    if quality.inliers < min_inliers:
        return "rejected", f"{agreeing}, fewer than registration.min_inliers {min_inliers}"
    if quality.false_alarms is None or quality.false_alarms > MOST_FALSE_ALARMS[search]:
        return "rejected", f"{agreeing}, as those of unrelated pictures might"
    if faults := _weaknesses(quality, factor):
        return "weak", f"{agreeing}, but " + ", ".join(faults)
    return "good", agreeing


def _weaknesses(quality: Quality, factor: int) -> list[str]:
    faults = []
    if quality.inlier_share < GOOD_INLIER_SHARE or _above(quality.cross_validated_rmse_px, GOOD_LEFT_OUT_PX * factor):
        faults.append("others contradict them")
    if _above(quality.split_half_px, GOOD_SPLIT_HALF_PX * factor):
        error = "unknown" if quality.split_half_px is None else f"{quality.split_half_px:.2f} px"
        faults.append(f"the displacement's standard error is {error}")
    if quality.coverage < GOOD_COVERAGE:
        faults.append(f"they are the majority in {quality.coverage:.0%} of the scene only")
    return faults


def _above(value: float | None, limit: float) -> bool:
    return value is None or value > limit
