import dataclasses

import numpy as np
import pytest

from clairemap.artefacts.registration import Kind, Search, Tie
from clairemap.registration.consensus import log10_false_alarms
from clairemap.registration.fit import INLIER_RADIUS_PX, Ties, fit_model
from clairemap.registration.judge import false_alarms, judge
from clairemap.registration.match import Evidence
from clairemap.registration.model import NO_DISPLACEMENT, Displacement
from clairemap.registration.result import Fit

MAX = 24
SHAPE = (800, 800)
SHIFT = Displacement.translation(3.4, -2.3)
PLACES = tuple((50.0 + 100 * row, 50.0 + 100 * col) for row in range(8) for col in range(8))


def evidence(agreeing: int, others: int = 0, *, scatter: float = 0.3, seed: int = 0) -> Evidence:
    """Return ties on an 8 x 8 grid over 800 x 800 px; the first `agreeing` are scattered around the shift."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(PLACES))[: agreeing + others]
    near = rng.normal((3.4, -2.3), scatter, (agreeing, 2))
    far = rng.uniform(-MAX, MAX, (others, 2))
    ties = tuple(Tie(*PLACES[i], *offset, 3.0) for i, offset in zip(order, np.concatenate([near, far]), strict=True))
    surface = np.zeros((2 * MAX + 1,) * 2, np.float32)
    return Evidence(surface, ties, PLACES, 1.0, SHAPE, NO_DISPLACEMENT, 1)


def fit(found: Evidence, min_inliers: int = 6, kind: Kind = "translation", search: Search = "near") -> Fit:
    ties = as_arrays(found)
    return judge(found, ties, fit_model(ties, kind, SHIFT), search, min_inliers)


def as_arrays(found: Evidence) -> Ties:
    places = np.array([(tie.y, tie.x) for tie in found.ties]).reshape(-1, 2)
    offsets = np.array([(tie.dy, tie.dx) for tie in found.ties]).reshape(-1, 2)
    return Ties(places, offsets, SHAPE, INLIER_RADIUS_PX * found.factor, found.overlap)


def test_consistent_ties_give_a_good_fit() -> None:
    good = fit(evidence(40, 8))
    assert good.verdict == "good" and good.search == "near"
    assert good.model.mean_px(SHAPE) == pytest.approx((3.4, -2.3), abs=0.1)
    assert good.quality.ties == 48 and 40 <= good.quality.inliers <= 41
    assert good.quality.inlier_share == pytest.approx(40 / 48, abs=0.03)
    assert good.quality.rmse_px == pytest.approx(0.3 * np.sqrt(2), rel=0.3)
    assert good.quality.coverage > 0.9
    assert good.quality.false_alarms is not None and good.quality.false_alarms < 1e-20
    assert sum(good.inlier) == good.quality.inliers
    assert len(good.inlier) == len(good.residuals_px) == len(good.ties) == 48
    assert all((residual < 2) is inlier for residual, inlier in zip(good.residuals_px, good.inlier, strict=True))
    assert "40 of 48" in good.reason or "41 of 48" in good.reason


def test_left_out_residuals_are_bounded_by_the_radius() -> None:
    right, astray = fit(evidence(48)).quality, fit(evidence(36, 12)).quality
    assert right.cross_validated_rmse_px == pytest.approx(0.3 * np.sqrt(2), rel=0.3)
    assert astray.cross_validated_rmse_px == pytest.approx(np.sqrt(0.25 * 4 + 0.75 * 0.18), rel=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_random_ties_are_rejected(seed: int) -> None:
    nothing = fit(evidence(0, 60, seed=seed), 3)
    assert nothing.verdict == "rejected" and not nothing.worth_applying(SHAPE)


def test_too_few_inliers_are_rejected() -> None:
    few = fit(evidence(5))
    assert few.verdict == "rejected" and "min_inliers (6)" in few.reason
    assert fit(evidence(5), 5).verdict == "weak"


def test_few_inliers_among_many_ties_are_chance() -> None:
    few = fit(dataclasses.replace(evidence(4, 60), overlap=2.0), 3)
    assert few.verdict == "rejected" and "no better than chance" in few.reason


def test_overlapping_windows_count_once() -> None:
    found = evidence(8, 30)
    assert fit(found).verdict == "weak"
    assert fit(dataclasses.replace(found, overlap=8.0)).verdict == "rejected"


def test_contradicting_ties_give_a_weak_fit() -> None:
    weak = fit(evidence(20, 30))
    assert weak.verdict == "weak" and "contradict" in weak.reason and weak.worth_applying(SHAPE)


def test_ties_in_one_corner_give_a_weak_fit() -> None:
    corner = evidence(50)
    ties = tuple(dataclasses.replace(tie, y=tie.y / 4, x=tie.x / 2) for tie in corner.ties)
    weak = fit(dataclasses.replace(corner, ties=ties))
    assert weak.verdict == "weak" and "of the scene" in weak.reason


def test_cells_with_mostly_outliers_are_not_covered() -> None:
    found = evidence(64)  # four per cell, one of them at its upper left
    upper_left = [tie.y % 200 < 100 and tie.x % 200 < 100 for tie in found.ties]
    astray = [first if tie.y > 400 else not first for tie, first in zip(found.ties, upper_left, strict=True)]
    ties = tuple(dataclasses.replace(tie, dy=tie.dy + 9 * off) for tie, off in zip(found.ties, astray, strict=True))
    assert fit(dataclasses.replace(found, ties=ties)).quality.coverage == 0.5


def test_coverage_is_relative_to_matched_windows() -> None:
    corner = evidence(50)
    ties = tuple(dataclasses.replace(tie, y=tie.y / 4, x=tie.x / 2) for tie in corner.ties)
    places = tuple((y / 4, x / 2) for y, x in PLACES)
    assert fit(dataclasses.replace(corner, ties=ties, places=places)).quality.coverage == 1


def test_a_large_standard_error_gives_a_weak_fit() -> None:
    weak = fit(evidence(7, scatter=0.9, seed=1))
    assert weak.verdict in ("weak", "rejected")
    halves = evidence(50, scatter=0.1)
    parts = as_arrays(halves).cells
    black = (parts // 4 + parts % 4) % 2 == 0
    ties = tuple(dataclasses.replace(tie, dx=tie.dx + 1.3 * side) for tie, side in zip(halves.ties, black, strict=True))
    weak = fit(dataclasses.replace(halves, ties=ties))
    assert weak.quality.split_half_px == pytest.approx(0.65, abs=0.1)
    assert weak.verdict == "weak" and "standard error is 0.6" in weak.reason


def test_a_varying_displacement_makes_a_translation_weak() -> None:
    even = evidence(50, scatter=0.1)
    ties = tuple(dataclasses.replace(tie, dx=tie.dx + (tie.x - 400) / 80) for tie in even.ties)
    growing = dataclasses.replace(even, ties=ties)
    assert fit(growing).verdict == "weak" and "contradict" in fit(growing).reason
    assert fit(growing, kind="affine").verdict == "good"


def test_a_wide_search_is_good_or_rejected() -> None:
    assert fit(evidence(40, 8), search="wide").verdict == "good"
    weak = fit(evidence(20, 30), search="wide")
    assert weak.verdict == "rejected" and weak.search == "wide" and not weak.worth_applying(SHAPE)


def test_thresholds_scale_with_the_coarser_grid() -> None:
    coarse = evidence(50, scatter=1.6)
    assert fit(coarse).verdict != "good"
    assert fit(dataclasses.replace(coarse, factor=3)).verdict == "good"


def test_a_scene_without_windows_is_rejected_with_a_reason() -> None:
    empty = dataclasses.replace(evidence(0), ties=(), places=())
    rejected = fit(empty)
    assert (
        rejected.verdict == "rejected"
        and "no window has edges" in rejected.reason
        and rejected.model == NO_DISPLACEMENT
    )


def test_windows_without_ties_are_rejected() -> None:
    rejected = fit(dataclasses.replace(evidence(1), ties=()))
    assert rejected.verdict == "rejected" and rejected.quality.ties == 0 and rejected.quality.inlier_share == 0
    quality = rejected.quality
    assert quality.rmse_px is None and quality.split_half_px is None and quality.cross_validated_rmse_px is None


def test_false_alarms_are_those_of_uniform_ties() -> None:
    ties = as_arrays(dataclasses.replace(evidence(12, 28), overlap=2.0))
    inliers = int(ties.inliers(SHIFT).sum())
    expected = 10 ** log10_false_alarms(inliers / 2, 40 / 2, 1, np.pi * 4 / 49**2)
    assert false_alarms(ties, SHIFT, 49.0**2) == pytest.approx(expected)
    assert false_alarms(ties, SHIFT, 25.0**2) > expected
    nothing = as_arrays(evidence(0, 40))
    assert false_alarms(nothing, SHIFT, 49.0**2) == 1000


def test_a_complex_model_is_as_significant_as_a_simple_one() -> None:
    ties = as_arrays(evidence(12, 30))
    simple = false_alarms(ties, fit_model(ties, "translation", SHIFT), 49.0**2)
    rich = fit_model(ties, "affine", SHIFT)
    assert rich.kind == "affine" and false_alarms(ties, rich, 49.0**2) <= simple * (1 + 1e-9)


def test_random_ties_have_more_inliers_in_a_complex_model_but_no_significance() -> None:
    for seed in range(10):
        ties = as_arrays(evidence(0, 64, seed=seed))
        for kind in ("translation", "similarity", "affine", "polynomial"):
            assert false_alarms(ties, fit_model(ties, kind, NO_DISPLACEMENT), 49.0**2) > 1e-3
