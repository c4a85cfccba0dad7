import numpy as np
import pytest

from clairemap.artefacts.registration import Kind
from clairemap.registration.consensus import Frame
from clairemap.registration.fit import Ties, cell_numbers, fit_model, left_out_residuals, select_model, split_half_px
from clairemap.registration.model import MIN_TIES, NO_DISPLACEMENT, Displacement

SHAPE = (800, 800)
FRAME = Frame.of(SHAPE)
KINDS: tuple[Kind, ...] = ("translation", "similarity", "affine", "polynomial")
GAIN = 0.1
OF_KIND: dict[Kind, Displacement] = {
    "translation": Displacement.translation(3.4, -2.3),
    "similarity": FRAME.model("similarity", np.array([[3.4, -2.3], [-2.0, 1.5], [1.5, 2.0]])),
    "affine": FRAME.model("affine", np.array([[3.4, -2.3], [0.5, 3.0], [-2.0, 1.5]])),
    "polynomial": FRAME.model(
        "polynomial", np.array([[3.4, -2.3], [0.5, 3.0], [-2.0, 1.5], [2.0, -2.5], [1.0, 1.5], [-2.0, 1.0]])
    ),
}


def away(kind: Kind) -> Displacement:
    """Return a first guess at least 1.2 px from the truth and without curvature, like that of a consensus."""
    corners = np.array([[0.0, 0.0], [0, 799], [799, 0], [799, 799]])
    flat = FRAME.solve("affine", corners, OF_KIND[kind].at_places(corners), np.ones(4))
    assert flat is not None
    apart = FRAME.model("affine", np.array([[0.9, -0.8], [0.5, -0.4], [-0.4, 0.5]]))
    offsets = flat.at_places(corners) + apart.at_places(corners)
    guess = FRAME.solve("affine", corners, offsets, np.ones(4))
    assert guess is not None
    return guess


def ties(model: Displacement, along: int = 12, *, outliers: float = 0.0, scatter: float = 0.7, seed: int = 0) -> Ties:
    """Return ties on a grid of `along` x `along`, scattered around a model; a share of them are uniform outliers."""
    rng = np.random.default_rng(seed)
    middles = (np.arange(along) + 0.5) * SHAPE[0] / along
    places = np.stack(np.meshgrid(middles, middles, indexing="ij"), axis=-1).reshape(-1, 2)
    offsets = model.at_places(places) + rng.normal(0, scatter, places.shape)
    astray = rng.permutation(len(places))[: round(outliers * len(places))]
    offsets[astray] = rng.uniform(-12, 12, (len(astray), 2))
    return Ties(places, offsets, SHAPE)


def error_px(model: Displacement, truth: Displacement, places: np.ndarray) -> float:
    return float(np.sqrt(((model.at_places(places) - truth.at_places(places)) ** 2).sum(axis=1).mean()))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("outliers", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(3))
def test_the_simplest_sufficient_model_is_selected(kind: Kind, outliers: float, seed: int) -> None:
    made = ties(OF_KIND[kind], outliers=outliers, seed=seed)
    start = away(kind)
    assert error_px(start, OF_KIND[kind], made.places) > 1.2
    found = select_model(made, start, KINDS, GAIN)
    assert found.kind == kind
    assert error_px(found, OF_KIND[kind], made.places) < 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_a_fit_converges_from_a_wrong_guess(kind: Kind) -> None:
    made = ties(OF_KIND[kind], outliers=0.2, scatter=0.2)
    start = away(kind)
    found = fit_model(made, kind, start)
    assert found.kind == kind
    assert error_px(found, OF_KIND[kind], made.places) < 0.1 < 1.2 < error_px(start, OF_KIND[kind], made.places)


@pytest.mark.parametrize("seed", range(10))
def test_scatter_selects_no_complex_model(seed: int) -> None:
    made = ties(OF_KIND["translation"], 8, seed=seed)
    assert select_model(made, OF_KIND["translation"], KINDS, GAIN).kind == "translation"


@pytest.mark.parametrize("seed", range(5))
def test_a_dozen_ties_or_one_corner_select_no_polynomial(seed: int) -> None:
    bent = ties(OF_KIND["polynomial"], 40, scatter=0.1, seed=seed)
    few = bent.select(np.isin(np.arange(1600), np.random.default_rng(seed).permutation(1600)[:12]))
    parted = bent.select(np.isin(np.arange(1600), [np.flatnonzero(bent.cells == part)[50] for part in range(12)]))
    corner = bent.select((bent.places < 300).all(axis=1))
    for some in (few, parted, corner):
        assert select_model(some, OF_KIND["affine"], KINDS, GAIN).kind != "polynomial"


def test_a_complex_model_must_reach_the_minimum_gain() -> None:
    made = ties(OF_KIND["translation"].shifted(0, 0), scatter=0.7)
    made.offsets[:, 1] += (made.places[:, 1] - 400) / 400 * 0.8
    assert select_model(made, OF_KIND["translation"], ("translation", "affine"), 0.05).kind == "affine"
    assert select_model(made, OF_KIND["translation"], ("translation", "affine"), 0.5).kind == "translation"


def test_only_the_given_kinds_are_considered() -> None:
    bent = ties(OF_KIND["polynomial"])
    assert select_model(bent, OF_KIND["affine"], ("similarity", "affine"), GAIN).kind == "affine"
    assert select_model(bent, OF_KIND["affine"], ("translation",), GAIN).kind == "translation"
    straight = ties(OF_KIND["translation"])
    assert select_model(straight, NO_DISPLACEMENT.shifted(3, -2), ("polynomial",), GAIN).kind == "polynomial"


def test_without_ties_the_guess_is_returned() -> None:
    none = Ties(np.zeros((0, 2)), np.zeros((0, 2)), SHAPE)
    for guess in (OF_KIND["translation"], OF_KIND["affine"]):
        assert fit_model(none, "affine", guess) == guess
        assert select_model(none, guess, KINDS, GAIN) == guess
    assert split_half_px(none, NO_DISPLACEMENT) is None


def test_outliers_have_no_influence() -> None:
    made = ties(OF_KIND["affine"], 8, scatter=0.5)
    without = fit_model(made.select(np.arange(64) >= 6), "affine", OF_KIND["affine"])
    made.offsets[:6] += 30
    found = fit_model(made, "affine", OF_KIND["affine"])
    assert found.over(SHAPE) == pytest.approx(without.over(SHAPE), abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_too_few_ties_return_the_guess(kind: Kind) -> None:
    few = ties(OF_KIND[kind]).select(np.arange(144) < MIN_TIES[kind] - 1)
    assert fit_model(few, kind, OF_KIND["affine"]) == OF_KIND["affine"]


def test_residuals_and_inliers() -> None:
    made = Ties(np.array([[0.0, 0.0], [9.0, 9.0]]), np.array([[3.0, 0.0], [3.0, 5.0]]), (10, 10), radius_px=4.5)
    model = Displacement.translation(0, 1)
    assert made.residuals(model) == pytest.approx([np.sqrt(10), 5])
    assert made.inliers(model).tolist() == [True, False]
    assert made.select(np.array([False, True])).places.tolist() == [[9, 9]]
    assert made.select(np.array([False, True])).radius_px == 4.5


def test_the_scene_has_sixteen_cells() -> None:
    places = np.array([[0.0, 0.0], [0.0, 99.0], [199.0, 0.0], [199.0, 99.0], [60.0, 30.0], [-0.5, 99.6]])
    assert cell_numbers(places, (200, 100)).tolist() == [0, 3, 12, 15, 5, 3]
    assert len(np.unique(ties(NO_DISPLACEMENT).cells)) == 16


@pytest.mark.parametrize("kind", KINDS)
def test_a_moved_cell_has_large_left_out_residuals(kind: Kind) -> None:
    made = ties(OF_KIND[kind], scatter=0.1)
    part = made.cells == 6
    made.offsets[part] += 3
    residuals = left_out_residuals(made, fit_model(made, kind, OF_KIND[kind]))
    assert residuals[part] == pytest.approx(np.hypot(3, 3), abs=0.6)
    assert np.median(residuals[~part]) < 0.3


def test_left_out_ties_do_not_influence_their_model() -> None:
    """16 cells with different shifts around a translation: leaving a cell out raises its error by 16/15."""
    rng = np.random.default_rng(0)
    made = ties(NO_DISPLACEMENT, scatter=0.0)
    angles = rng.uniform(0, 2 * np.pi, 16)
    made.offsets[:] = np.stack([np.sin(angles), np.cos(angles)], axis=-1)[made.cells] * 0.2
    wide = Ties(made.places, made.offsets, SHAPE, radius_px=1000.0)  # equal weights
    model = fit_model(wide, "translation", NO_DISPLACEMENT)
    assert left_out_residuals(wide, model) == pytest.approx(wide.residuals(model) * 16 / 15, rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_split_half_is_a_standard_error(kind: Kind) -> None:
    said, true = [], []
    for seed in range(40):
        made = ties(OF_KIND[kind], scatter=0.5, seed=seed)
        model = fit_model(made, kind, OF_KIND[kind])
        said.append(split_half_px(made, model))
        true.append(error_px(model, OF_KIND[kind], made.places))
    assert np.sqrt(np.mean(np.square(said))) == pytest.approx(np.sqrt(np.mean(np.square(true))), rel=0.3)


def test_split_half_needs_ties_in_both_halves() -> None:
    made = ties(OF_KIND["affine"])
    black = made.select(np.isin(made.cells, [0, 2, 5, 7, 8, 10, 13, 15]))
    assert split_half_px(made, OF_KIND["affine"]) is not None
    assert split_half_px(black, OF_KIND["affine"]) is None
