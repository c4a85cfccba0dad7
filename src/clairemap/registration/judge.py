"""Verdict on a displacement: good, weak or rejected."""

import math

import numpy as np
from numpy.typing import NDArray

from clairemap.artefacts.registration import Quality, Search, Verdict
from clairemap.registration.consensus import log10_false_alarms
from clairemap.registration.fit import Ties, cell_numbers, fit_model, left_out_rmse_px, split_half_px
from clairemap.registration.match import Evidence
from clairemap.registration.model import MIN_TIES, NO_DISPLACEMENT, Displacement
from clairemap.registration.result import NO_QUALITY, Fit

MAX_FALSE_ALARMS: dict[Search, float] = {"near": 1e-3, "wide": 1e-5}
"""Maximum expected number of equally large inlier groups between unrelated images; above it a displacement is rejected.
A wide search tries a thousand rotations and scales; about a hundred of them are independent."""

GOOD_INLIER_SHARE = 0.6
"""Minimum share of inliers for the verdict "good"."""

GOOD_LEFT_OUT_PX = 1.45
"""Maximum bounded RMSE of left-out ties for the verdict "good"; residuals above 2 px count as 2 px."""

GOOD_SPLIT_HALF_PX = 0.5
"""Maximum standard error for the verdict "good": co-registration usually requires half a pixel."""

GOOD_COVERAGE = 0.6
"""Minimum share of cells in which at least half of the ties are inliers for the verdict "good"."""


def judge(evidence: Evidence, ties: Ties, model: Displacement, search: Search, min_inliers: int) -> Fit:
    """Return a displacement with its verdict.

    - rejected: fewer than `min_inliers` inliers, or no better than chance;
    - weak: left-out ties contradict the model, its standard error is large, or the inliers' coverage is small;
    - good otherwise.

    A wide search needs strong evidence, because it goes beyond the georeferencing: its result is good or rejected.
    """
    if not evidence.places:
        return Fit("rejected", "no window has edges in both sensors", NO_DISPLACEMENT, NO_QUALITY, search=search)
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
    residuals, inlier = ties.residuals(model), ties.inliers(model)
    inliers = int(inlier.sum())
    possible = np.unique(cell_numbers(np.array(evidence.places), evidence.scene_shape))
    enough = inliers >= 2 * MIN_TIES[model.kind]
    return Quality(
        ties=len(residuals),
        inliers=inliers,
        inlier_share=inliers / max(len(residuals), 1),
        rmse_px=_root_mean_square(residuals[inlier]) if inliers else None,
        cross_validated_rmse_px=left_out_rmse_px(ties, model) if enough else None,
        split_half_px=split_half_px(ties, model),
        coverage=_covered_cells(ties.cells, inlier) / len(possible),
        false_alarms=false_alarms(ties, model, evidence.surface.size * evidence.factor**2),
    )


def _root_mean_square(values: NDArray[np.float64]) -> float:
    return math.sqrt(float((values**2).mean()))


def _covered_cells(parts: NDArray[np.int64], inlier: NDArray[np.bool_]) -> int:
    return sum(bool(inlier[parts == part].mean() >= 0.5) for part in np.unique(parts))


def false_alarms(ties: Ties, model: Displacement, searched_px2: float) -> float:
    """Return the expected number of equally large inlier groups between unrelated images, limited to 1000.

    Their ties are uniform over a search area of `searched_px2` square pixels; overlapping windows count once. Complex
    models gain chance inliers more easily, so the lowest value of the model's kind and all simpler kinds is returned.
    """
    single = min(math.pi * ties.radius_px**2 / searched_px2, 1.0)
    kinds = list(MIN_TIES)
    logarithms = []
    for kind in kinds[: kinds.index(model.kind) + 1]:
        inliers = int(ties.inliers(fit_model(ties, kind, model)).sum())
        logarithms.append(
            log10_false_alarms(inliers / ties.overlap, len(ties.places) / ties.overlap, MIN_TIES[kind], single)
        )
    return float(10 ** min(*logarithms, 3.0))


def _verdict(quality: Quality, search: Search, min_inliers: int, factor: int) -> tuple[Verdict, str]:
    counts = f"{quality.inliers} of {quality.ties} tie points are inliers"
    if quality.inliers < min_inliers:
        return "rejected", f"{counts}, fewer than registration.min_inliers ({min_inliers})"
    if quality.false_alarms is None or quality.false_alarms > MAX_FALSE_ALARMS[search]:
        return "rejected", f"{counts}, no better than chance"
    if faults := _weaknesses(quality, factor):
        return "weak", f"{counts}, but " + ", ".join(faults)
    return "good", counts


def _weaknesses(quality: Quality, factor: int) -> list[str]:
    faults = []
    if quality.inlier_share < GOOD_INLIER_SHARE or _above(quality.cross_validated_rmse_px, GOOD_LEFT_OUT_PX * factor):
        faults.append("the other tie points contradict them")
    if _above(quality.split_half_px, GOOD_SPLIT_HALF_PX * factor):
        error = "unknown" if quality.split_half_px is None else f"{quality.split_half_px:.2f} px"
        faults.append(f"the displacement's standard error is {error}")
    if quality.coverage < GOOD_COVERAGE:
        faults.append(f"they are the majority in only {quality.coverage:.0%} of the scene")
    return faults


def _above(value: float | None, limit: float) -> bool:
    return value is None or value > limit
