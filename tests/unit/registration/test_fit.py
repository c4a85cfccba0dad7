import numpy as np
import pytest

from clairemap.artefacts.registration import Kind
from clairemap.registration.consensus import Frame
from clairemap.registration.fit import Ties, fitted, left_out_residuals, part_numbers, simplest, split_half_px
from clairemap.registration.model import LEAST_TIES, NO_DISPLACEMENT, Displacement

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
    """Return a first guess 1.2 px and more from the truth, without a polynomial's bend: as ties' agreement gives it."""
    corners = np.array([[0.0, 0.0], [0, 799], [799, 0], [799, 799]])
    flat = FRAME.solved("affine", corners, OF_KIND[kind].at_places(corners), np.ones(4))
    assert flat is not None
    apart = FRAME.model("affine", np.array([[0.9, -0.8], [0.5, -0.4], [-0.4, 0.5]]))
    offsets = flat.at_places(corners) + apart.at_places(corners)
    guess = FRAME.solved("affine", corners, offsets, np.ones(4))
    assert guess is not None
    return guess


def ties(model: Displacement, along: int = 12, *, outliers: float = 0.0, scatter: float = 0.7, seed: int = 0) -> Ties:
    """Return ties on a grid of so many along each side, scattered around a model; a share of them lie anywhere."""
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
def test_the_simplest_model_that_holds_is_found(kind: Kind, outliers: float, seed: int) -> None:
    made = ties(OF_KIND[kind], outliers=outliers, seed=seed)
    start = away(kind)
    assert error_px(start, OF_KIND[kind], made.places) > 1.2
    found = simplest(made, start, KINDS, GAIN)
    assert found.kind == kind
    assert error_px(found, OF_KIND[kind], made.places) < 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_a_fit_leaves_a_first_guess_for_the_truth(kind: Kind) -> None:
    made = ties(OF_KIND[kind], outliers=0.2, scatter=0.2)
    start = away(kind)
    found = fitted(made, kind, start)
    assert found.kind == kind
    assert error_px(found, OF_KIND[kind], made.places) < 0.1 < 1.2 < error_px(start, OF_KIND[kind], made.places)


@pytest.mark.parametrize("seed", range(10))
def test_scatter_is_no_reason_for_a_richer_model(seed: int) -> None:
    made = ties(OF_KIND["translation"], 8, seed=seed)
    assert simplest(made, OF_KIND["translation"], KINDS, GAIN).kind == "translation"


@pytest.mark.parametrize("seed", range(5))
def test_a_dozen_ties_or_one_corner_bear_no_polynomial(seed: int) -> None:
    bent = ties(OF_KIND["polynomial"], 40, scatter=0.1, seed=seed)
    few = bent.where(np.isin(np.arange(1600), np.random.default_rng(seed).permutation(1600)[:12]))
    parted = bent.where(np.isin(np.arange(1600), [np.flatnonzero(bent.parts == part)[50] for part in range(12)]))
    corner = bent.where((bent.places < 300).all(axis=1))
    for some in (few, parted, corner):
        assert simplest(some, OF_KIND["affine"], KINDS, GAIN).kind != "polynomial"


def test_a_richer_model_must_gain_as_much_as_asked_for() -> None:
    made = ties(OF_KIND["translation"].shifted(0, 0), scatter=0.7)
    made.offsets[:, 1] += (made.places[:, 1] - 400) / 400 * 0.8
    assert simplest(made, OF_KIND["translation"], ("translation", "affine"), 0.05).kind == "affine"
    assert simplest(made, OF_KIND["translation"], ("translation", "affine"), 0.5).kind == "translation"


def test_no_more_than_the_given_kinds_are_considered() -> None:
    bent = ties(OF_KIND["polynomial"])
    assert simplest(bent, OF_KIND["affine"], ("similarity", "affine"), GAIN).kind == "affine"
    assert simplest(bent, OF_KIND["affine"], ("translation",), GAIN).kind == "translation"
    straight = ties(OF_KIND["translation"])
    assert simplest(straight, NO_DISPLACEMENT.shifted(3, -2), ("polynomial",), GAIN).kind == "polynomial"


def test_without_ties_the_guess_remains() -> None:
    none = Ties(np.zeros((0, 2)), np.zeros((0, 2)), SHAPE)
    for guess in (OF_KIND["translation"], OF_KIND["affine"]):
        assert fitted(none, "affine", guess) == guess
        assert simplest(none, guess, KINDS, GAIN) == guess
    assert split_half_px(none, NO_DISPLACEMENT) is None


def test_ties_far_from_the_rest_have_no_say() -> None:
    made = ties(OF_KIND["affine"], 8, scatter=0.5)
    without = fitted(made.where(np.arange(64) >= 6), "affine", OF_KIND["affine"])
    made.offsets[:6] += 30
    found = fitted(made, "affine", OF_KIND["affine"])
    assert found.over(SHAPE) == pytest.approx(without.over(SHAPE), abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_too_few_ties_leave_the_guess(kind: Kind) -> None:
    few = ties(OF_KIND[kind]).where(np.arange(144) < LEAST_TIES[kind] - 1)
    assert fitted(few, kind, OF_KIND["affine"]) == OF_KIND["affine"]


def test_residuals_and_who_agrees() -> None:
    made = Ties(np.array([[0.0, 0.0], [9.0, 9.0]]), np.array([[3.0, 0.0], [3.0, 5.0]]), (10, 10), radius_px=4.5)
    model = Displacement.translation(0, 1)
    assert made.residuals(model) == pytest.approx([np.sqrt(10), 5])
    assert made.agreeing(model).tolist() == [True, False]
    assert made.where(np.array([False, True])).places.tolist() == [[9, 9]]
    assert made.where(np.array([False, True])).radius_px == 4.5


def test_the_scene_has_sixteen_parts() -> None:
    places = np.array([[0.0, 0.0], [0.0, 99.0], [199.0, 0.0], [199.0, 99.0], [60.0, 30.0], [-0.5, 99.6]])
    assert part_numbers(places, (200, 100)).tolist() == [0, 3, 12, 15, 5, 3]
    assert len(np.unique(ties(NO_DISPLACEMENT).parts)) == 16


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_that_moves_as_a_whole_is_told_by_the_others(kind: Kind) -> None:
    made = ties(OF_KIND[kind], scatter=0.1)
    part = made.parts == 6
    made.offsets[part] += 3
    residuals = left_out_residuals(made, fitted(made, kind, OF_KIND[kind]))
    assert residuals[part] == pytest.approx(np.hypot(3, 3), abs=0.6)
    assert np.median(residuals[~part]) < 0.3


def test_left_out_ties_have_no_part_in_the_model_they_are_held_against() -> None:
    """A translation of 16 parts, each shifted by a pixel its own way: without it, a part's error grows by 16/15."""
    rng = np.random.default_rng(0)
    made = ties(NO_DISPLACEMENT, scatter=0.0)
    angles = rng.uniform(0, 2 * np.pi, 16)
    made.offsets[:] = np.stack([np.sin(angles), np.cos(angles)], axis=-1)[made.parts] * 0.2
    wide = Ties(made.places, made.offsets, SHAPE, radius_px=1000.0)  # all weigh alike
    model = fitted(wide, "translation", NO_DISPLACEMENT)
    assert left_out_residuals(wide, model) == pytest.approx(wide.residuals(model) * 16 / 15, rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_split_half_is_a_standard_error(kind: Kind) -> None:
    said, true = [], []
    for seed in range(40):
        made = ties(OF_KIND[kind], scatter=0.5, seed=seed)
        model = fitted(made, kind, OF_KIND[kind])
        said.append(split_half_px(made, model))
        true.append(error_px(model, OF_KIND[kind], made.places))
    assert np.sqrt(np.mean(np.square(said))) == pytest.approx(np.sqrt(np.mean(np.square(true))), rel=0.3)


def test_split_half_needs_ties_in_both_halves() -> None:
    made = ties(OF_KIND["affine"])
    black = made.where(np.isin(made.parts, [0, 2, 5, 7, 8, 10, 13, 15]))
    assert split_half_px(made, OF_KIND["affine"]) is not None
    assert split_half_px(black, OF_KIND["affine"]) is None
