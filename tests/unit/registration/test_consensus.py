import math
from typing import get_args

import numpy as np
import pytest
from scipy import stats

from clairemap.artefacts.registration import TERMS, Kind
from clairemap.registration.consensus import Frame, consensus_inliers, log10_false_alarms
from clairemap.registration.model import MIN_TIES, Displacement

SHAPE = (700, 800)
FRAME = Frame.of(SHAPE)
AFFINE = FRAME.model("affine", np.array([[3.0, -2.0], [4.0, 6.0], [-5.0, 3.0]]))
SINGLE = math.pi * 4 / 25**2


def places(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, SHAPE, (count, 2))


def mixed(model: Displacement, inliers: int, outliers: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return places and displacements, first of ties scattered around a model, then of uniform ties."""
    rng, at = np.random.default_rng(seed + 1), places(inliers + outliers, seed)
    near = model.at_places(at[:inliers]) + rng.normal(0, 0.5, (inliers, 2))
    return at, np.concatenate([near, rng.uniform(-12, 12, (outliers, 2))])


def test_frame_coordinates_are_one_at_half_the_longer_side() -> None:
    design = FRAME.design("affine", np.array([[349.5, 399.5], [349.5, 799.5], [-50.5, 399.5]]))
    assert design.tolist() == [[1, 0, 0], [1, 1, 0], [1, 0, -1]]


@pytest.mark.parametrize("seed", range(5))
def test_inliers_are_found_among_sixty_per_cent_outliers(seed: int) -> None:
    at, offsets = mixed(AFFINE, 40, 60, seed)
    agree = consensus_inliers(at, offsets, FRAME, 2.0, 0.03)
    near = np.hypot(*(offsets - AFFINE.at_places(at)).T)
    assert agree[:40].mean() > 0.9
    assert not agree[near > 3.5].any()
    assert np.array_equal(agree, consensus_inliers(at, offsets, FRAME, 2.0, 0.03))


def test_proposals_above_the_maximum_gradient_are_discarded() -> None:
    at = places(60)
    steep = FRAME.model("affine", np.array([[0, 0], [0, 0.05 * FRAME.scale_px], [0, 0]])).at_places(at)
    assert consensus_inliers(at, steep, FRAME, 2.0, 0.06).all()
    assert not consensus_inliers(at, steep, FRAME, 2.0, 0.03).any()
    scattered = steep + np.random.default_rng(0).normal(0, 0.7, steep.shape)
    assert (
        0
        < consensus_inliers(at, scattered, FRAME, 2.0, 0.03).mean()
        < 0.7
        < consensus_inliers(at, scattered, FRAME, 2.0, 0.06).mean()
    )


@pytest.mark.parametrize("count", [0, 1, 2])
def test_two_ties_have_no_consensus(count: int) -> None:
    agree = consensus_inliers(places(count), places(count), FRAME, 2.0, 0.03)
    assert agree.shape == (count,) and not agree.any()


def test_collinear_or_coincident_ties_give_no_proposals() -> None:
    along = np.linspace(0, 1, 30)[:, None] * [600.0, 700.0]
    for at in (along, np.full((30, 2), 5.0)):
        assert not consensus_inliers(at, np.zeros((30, 2)), FRAME, 2.0, 0.03).any()


@pytest.mark.parametrize(("k", "n", "chosen"), [(8, 30, 0), (8, 30, 1), (12, 40, 3), (30, 30, 2), (7, 100, 6)])
def test_false_alarms_are_the_binomial_tail_times_the_choices_of_ties(k: int, n: int, chosen: int) -> None:
    expected = math.comb(n, chosen) * stats.binom.sf(k - chosen - 1, n - chosen, SINGLE)
    assert log10_false_alarms(k, n, chosen, SINGLE) == pytest.approx(math.log10(expected), rel=1e-9)


def test_false_alarms_grow_with_model_size_and_outliers() -> None:
    by_chosen = [log10_false_alarms(12.5, 30.2, chosen, SINGLE) for chosen in range(7)]
    assert by_chosen == sorted(set(by_chosen))
    by_ties = [log10_false_alarms(12, ties, 3, SINGLE) for ties in (12, 20, 30.5, 80)]
    assert by_ties == sorted(set(by_ties))
    by_agreeing = [log10_false_alarms(agree, 60, 3, SINGLE) for agree in (4, 5.5, 10, 60)]
    assert by_agreeing == sorted(set(by_agreeing), reverse=True)


@pytest.mark.parametrize("agree", [0, 0.5, 2, 3])
def test_the_minimal_ties_of_a_model_are_no_evidence(agree: float) -> None:
    assert log10_false_alarms(agree, 40, 3, SINGLE) == math.inf


def test_false_alarms_stay_finite() -> None:
    assert -10_000 < log10_false_alarms(400, 400, 0, SINGLE) < -200
    assert 0 <= log10_false_alarms(4, 400, 3, 1.0) < 10


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("extra", [0, 30])
def test_exact_ties_give_their_model(kind: Kind, extra: int) -> None:
    coefficients = np.random.default_rng(3).normal(0, 5, (TERMS[kind], 2))
    if kind == "similarity":
        coefficients[2] = coefficients[1, 1], -coefficients[1, 0]
    model = FRAME.model(kind, coefficients)
    at = places(MIN_TIES[kind] + extra, seed=4)
    solved = FRAME.solve(kind, at, model.at_places(at), np.full(len(at), 0.3))
    assert solved is not None and solved.kind == kind
    assert solved.over(SHAPE) == pytest.approx(model.over(SHAPE), abs=1e-6)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_ties_with_weight_0_have_no_influence(kind: Kind) -> None:
    at = places(30)
    offsets = np.random.default_rng(1).normal(0, 1, (30, 2))
    weights = np.repeat([1.0, 0.0], [20, 10])
    kept, solved = FRAME.solve(kind, at[:20], offsets[:20], weights[:20]), FRAME.solve(kind, at, offsets, weights)
    assert kept is not None and solved is not None
    assert solved.over(SHAPE) == pytest.approx(kept.over(SHAPE), abs=1e-9)
    assert FRAME.solve(kind, at, offsets, np.repeat([1.0, 0.0], [MIN_TIES[kind] - 1, 31 - MIN_TIES[kind]])) is None


def test_a_similarity_is_a_rotation_and_a_scale_for_any_ties() -> None:
    rng = np.random.default_rng(0)
    found = FRAME.solve("similarity", places(50), rng.normal(0, 5, (50, 2)), np.ones(50))
    assert found is not None
    assert found.dy_px[1] == -found.dx_px[2] and found.dy_px[2] == found.dx_px[1]


def test_ties_on_a_line_determine_a_similarity_but_no_affine_model() -> None:
    at = np.linspace(0, 1, 20)[:, None] * [600.0, 700.0]
    turn = FRAME.model("similarity", np.array([[1.0, 2.0], [-3.0, 0.5], [0.5, 3.0]]))
    solved = FRAME.solve("similarity", at, turn.at_places(at), np.ones(20))
    assert solved is not None and solved.over(SHAPE) == pytest.approx(turn.over(SHAPE), abs=1e-6)
    for kind in ("affine", "polynomial"):
        assert FRAME.solve(kind, at, turn.at_places(at), np.ones(20)) is None
    assert FRAME.solve("similarity", np.full((5, 2), 9.0), np.ones((5, 2)), np.ones(5)) is None
