import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clairemap.simulate.noise import (
    PointLattice,
    Positions,
    cells,
    fractal_noise,
    gradient_noise,
    hashed,
    smooth_step,
    uniform,
)


def mesh(size: int, step_m: float, x0: float = 0.0, y0: float = 0.0) -> Positions:
    y, x = np.mgrid[0:size, 0:size] * step_m
    return Positions(x0 + x, y0 + y)


@settings(max_examples=25, deadline=None)
@given(x0=st.floats(-3e5, 3e5), y0=st.floats(-3e5, 3e5), row=st.integers(0, 15), column=st.integers(0, 15))
def test_values_do_not_depend_on_the_other_positions(x0: float, y0: float, row: int, column: int):
    at = mesh(16, 37.0, x0, y0)
    alone = Positions(at.x[row : row + 1, column : column + 1], at.y[row : row + 1, column : column + 1])
    for field in (
        lambda places: gradient_noise(places, 120, 3),
        lambda places: fractal_noise(places, 900, 4, 3),
        lambda places: cells(places, 210, 0.4, 3).identity,
        lambda places: cells(places, 210, 0.4, 3).distance_m,
    ):
        assert field(at)[row, column] == field(alone)[0, 0]


def test_seeds_give_independent_fields():
    at = mesh(200, 40.0)
    first, second = (gradient_noise(at, 150, seed).ravel() for seed in (1, 2))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.1


def test_gradient_noise_is_smooth_centred_and_about_one_in_range():
    field = gradient_noise(mesh(400, 10.0), 200, 5)
    assert abs(field.mean()) < 0.05
    assert 0.7 < np.abs(field).max() < 1.2
    assert np.abs(np.diff(field, axis=0)).max() < 0.3


def test_uniform_numbers_fill_the_unit_interval_evenly():
    identity = hashed(np.arange(100_000), np.arange(100_000) * 7, 4)
    counts, _ = np.histogram(uniform(identity, 2), bins=20, range=(0, 1))
    assert counts.sum() == 100_000
    assert counts.min() > 4600
    assert counts.max() < 5400


def test_the_nearest_lattice_point_is_found():
    at = mesh(40, 30.0, -600, -600)
    found = cells(at, 250, 0.45, 9)
    lattice = PointLattice.around(at, 250, 0.45, 9)
    all_m = np.hypot(at.x[..., None] - lattice.x, at.y[..., None] - lattice.y)
    # beyond the eight squares around a place no point can be nearer, unless the nearest is over one square away
    assert np.allclose(found.distance_m, all_m.min(axis=-1))
    assert np.allclose(found.distance_m, np.hypot(at.x - found.x, at.y - found.y))


@pytest.mark.parametrize(("value", "expected"), [(-1.0, 0.0), (0.0, 0.0), (0.5, 0.5), (1.0, 1.0), (3.0, 1.0)])
def test_smooth_step(value: float, expected: float):
    assert smooth_step(np.float32([value]), 0.0, 1.0)[0] == pytest.approx(expected)
