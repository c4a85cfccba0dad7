import math
from typing import get_args

import numpy as np
import pytest

from clairemap.artefacts.registration import TERMS, Kind
from clairemap.registration.model import NO_DISPLACEMENT, Displacement

FRAME = ((10.0, 20.0), 50.0)
AFFINE = Displacement("affine", (1.0, -0.2, 0.1), (2.0, 0.3, 0.2), *FRAME)
POLYNOMIAL = Displacement("polynomial", (1, 2, 3, 4, 5, 6), (-1, 0, 0, 0.5, 0.25, 0.125), *FRAME)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (NO_DISPLACEMENT, (0, 0)),
        (Displacement.translation(3.4, -2.3), (3.4, -2.3)),
        # At (110, -30): v = 2 and u = -1.
        (Displacement("similarity", (1.0, -0.2, 0.1), (2.0, 0.1, 0.2), *FRAME), (1 + 0.2 + 0.2, 2 - 0.1 + 0.4)),
        (AFFINE, (1 + 0.2 + 0.2, 2 - 0.3 + 0.4)),
        (POLYNOMIAL, (1 - 2 + 6 + 4 - 10 + 24, -1 + 0.5 - 0.5 + 0.5)),
    ],
)
def test_displacements_are_weighted_terms_of_normalised_coordinates(
    model: Displacement, expected: tuple[float, float]
) -> None:
    dy, dx = model.at(np.array([[110.0]]), np.array([[-30.0]]))
    assert dy.shape == dx.shape == (1, 1)
    assert (dy[0, 0], dx[0, 0]) == pytest.approx(expected)
    assert model.at_places(np.array([[110.0, -30.0]] * 2)) == pytest.approx(np.array([expected] * 2))


@pytest.mark.parametrize("kind", get_args(Kind))
def test_each_term_has_its_coefficient(kind: Kind) -> None:
    right, wrong = (0.0,) * TERMS[kind], (0.0,) * (TERMS[kind] + 1)
    assert Displacement(kind, right, right).kind == kind
    for dy, dx in ((wrong, wrong), (right, wrong), (wrong, right), ((), ())):
        with pytest.raises(ValueError, match=f"{kind} has {TERMS[kind]} coefficients"):
            Displacement(kind, dy, dx)


@pytest.mark.parametrize("model", [Displacement.translation(1, 2), AFFINE, POLYNOMIAL])
def test_a_shift_is_the_same_everywhere(model: Displacement) -> None:
    shifted = model.shifted(3.0, -4.0)
    assert shifted.kind == model.kind
    assert shifted.over((60, 90)) - model.over((60, 90)) == pytest.approx(np.tile([3.0, -4.0], (81, 1)))


def test_displacements_over_a_scene_include_the_corners() -> None:
    where = Displacement("affine", (0, 0, 1), (0, 1, 0)).over((31, 91))  # displacement equals the coordinates
    assert where.shape == (81, 2)
    assert where.min(axis=0).tolist() == [0, 0] and where.max(axis=0).tolist() == [30, 90]


def test_mean_and_root_mean_square() -> None:
    assert Displacement.translation(3, -4).mean_px((50, 70)) == (3, -4)
    assert Displacement.translation(3, -4).rms_px((50, 70)) == pytest.approx(5)
    turning = Displacement("similarity", (0.5, -2, 0), (0, 0, 2), (15.0, 15.0), 15.0)
    assert turning.mean_px((31, 31)) == pytest.approx((0.5, 0))
    squares = np.linspace(-1, 1, 9) ** 2
    assert turning.rms_px((31, 31)) == pytest.approx(math.sqrt(0.25 + 4 * 2 * squares.mean()))
    assert NO_DISPLACEMENT.rms_px((31, 31)) == 0
