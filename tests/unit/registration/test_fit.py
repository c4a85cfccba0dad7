import dataclasses

import numpy as np
import pytest

from clairemap.registration.fit import Fit, chance_of_agreement, fit_translation, single_sensor
from clairemap.registration.match import Evidence, Tie
from clairemap.registration.model import Translation

MAX = 24
SHIFT = (3.4, -2.3)


def surface(peak: tuple[float, float]) -> np.ndarray:
    y, x = np.mgrid[-MAX : MAX + 1, -MAX : MAX + 1]
    return np.exp(-((y - peak[0]) ** 2 + (x - peak[1]) ** 2) / 5).astype(np.float32)


def evidence(
    agreeing: int, others: int = 0, *, peak: tuple[float, float] = SHIFT, scatter: float = 0.3, seed: int = 0
) -> Evidence:
    """Return ties on an 8 x 8 grid over 800 x 800 px, `agreeing` ones first scattered around the peak."""
    rng = np.random.default_rng(seed)
    places = [(50.0 + 100 * row, 50.0 + 100 * col) for row in range(8) for col in range(8)]
    order = rng.permutation(len(places))[: agreeing + others]
    near = rng.normal(peak, scatter, (agreeing, 2))
    far = rng.uniform(-MAX, MAX, (others, 2))
    ties = tuple(Tie(*places[i], *offset, 3.0) for i, offset in zip(order, np.concatenate([near, far]), strict=True))
    return Evidence(surface(peak), ties, tuple(places), 1.0, (800, 800))


def test_agreeing_ties_make_a_good_fit() -> None:
    fit = fit_translation(evidence(40, 8), 6)
    assert fit.verdict == "good"
    assert (fit.model.dy_px, fit.model.dx_px) == (pytest.approx(SHIFT[0], abs=0.1), pytest.approx(SHIFT[1], abs=0.1))
    assert fit.quality.ties == 48 and 40 <= fit.quality.inliers <= 41
    assert fit.quality.inlier_share == pytest.approx(40 / 48, abs=0.03)
    assert fit.quality.rmse_px == pytest.approx(0.3 * np.sqrt(2), rel=0.3)
    assert fit.quality.coverage > 0.9
    assert sum(fit.inlier) == fit.quality.inliers and len(fit.inlier) == len(fit.ties)
    assert "40 of 48" in fit.reason or "41 of 48" in fit.reason


def test_split_half_is_a_standard_error() -> None:
    errors = [fit_translation(evidence(48, scatter=0.6, seed=seed), 6).quality.split_half_px for seed in range(40)]
    expected = 0.6 * np.sqrt(2 / 48)  # of the mean of 48 ties, both axes
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(expected, rel=0.35)


@pytest.mark.parametrize("seed", range(5))
def test_ties_all_over_the_place_are_rejected(seed: int) -> None:
    fit = fit_translation(evidence(0, 60, seed=seed), 3)
    assert fit.verdict == "rejected" and not fit.applied


def test_too_few_inliers_are_rejected_however_well_they_agree() -> None:
    fit = fit_translation(evidence(5), 6)
    assert fit.verdict == "rejected" and "min_inliers" in fit.reason


def test_few_among_many_are_chance() -> None:
    few = fit_translation(dataclasses.replace(evidence(4, 60), overlap=2.0), 3)
    assert few.verdict == "rejected" and "chance" in few.reason


def test_contradicting_ties_make_it_weak() -> None:
    fit = fit_translation(evidence(20, 30), 6)
    assert fit.verdict == "weak" and "contradict" in fit.reason and fit.applied


def test_ties_in_one_corner_make_it_weak() -> None:
    corner = evidence(50)
    ties = tuple(dataclasses.replace(tie, y=tie.y / 4, x=tie.x / 4) for tie in corner.ties)
    fit = fit_translation(dataclasses.replace(corner, ties=ties), 6)
    assert fit.verdict == "weak" and "of the scene only" in fit.reason


def test_a_displacement_that_grows_across_the_scene_makes_it_weak() -> None:
    even = evidence(50, scatter=0.1)
    ties = tuple(dataclasses.replace(tie, dx=tie.dx + (tie.x - 400) / 180) for tie in even.ties)
    fit = fit_translation(dataclasses.replace(even, ties=ties), 6)
    assert fit.verdict == "weak" and "standard error" in fit.reason


def test_the_end_of_the_search_is_no_result() -> None:
    fit = fit_translation(evidence(50, peak=(MAX, 0.0)), 6)
    assert fit.verdict == "rejected" and "max_shift_px" in fit.reason


def test_no_window_at_all_is_rejected_with_a_reason() -> None:
    empty = Evidence(np.zeros((49, 49), np.float32), (), (), 1.0, (800, 800))
    fit = fit_translation(empty, 6)
    assert fit.verdict == "rejected" and "structure" in fit.reason and fit.model == Translation()


def test_windows_without_any_distinct_tie_are_rejected() -> None:
    fit = fit_translation(dataclasses.replace(evidence(1), ties=()), 6)
    assert fit.verdict == "rejected" and fit.quality.rmse_px is None and fit.quality.split_half_px is None


def test_one_sensor_has_nothing_to_register() -> None:
    assert single_sensor().verdict == "single_sensor" and not single_sensor().applied


@pytest.mark.parametrize(("dx", "split", "applied"), [(0.1, 0.02, False), (0.6, 0.1, True), (0.6, 0.4, False)])
def test_only_displacements_beyond_their_error_are_applied(dx: float, split: float, applied: bool) -> None:
    fit = fit_translation(evidence(40), 6)
    quality = dataclasses.replace(fit.quality, split_half_px=split)
    assert Fit("good", "", Translation(0.0, dx), quality).applied is applied


def test_chance_is_the_binomials_tail() -> None:
    single = np.pi * 4 / 49**2
    assert chance_of_agreement(1, 30, 1.0, MAX) == pytest.approx(1 - (1 - single) ** 30)
    assert chance_of_agreement(30, 30, 1.0, MAX) == pytest.approx(single**30)
    assert chance_of_agreement(0, 30, 1.0, MAX) == 1
    assert chance_of_agreement(8, 30, 4.0, MAX) > chance_of_agreement(8, 30, 1.0, MAX)
