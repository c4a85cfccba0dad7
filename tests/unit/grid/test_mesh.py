"""Interpolation between the nodes of a mesh."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clairemap.grid.mesh import (
    aligned_nodes,
    cell_means,
    differ,
    interpolated,
    midpoints,
    node_positions,
    node_weights,
    nodes_beyond,
    spread_nodes,
)


def plane(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return values of a bilinear function."""
    return 3.0 * y[:, None] - 2.0 * x[None, :] + 0.25 * y[:, None] * x[None, :]


@given(st.integers(-500, 500), st.integers(1, 200), st.sampled_from([1, 2, 8, 32]))
def test_aligned_nodes_are_multiples_around_all_pixels(start: int, size: int, step: int):
    nodes = aligned_nodes(start, start + size, step)
    assert len(nodes) >= 2 and (nodes % step == 0).all() and (np.diff(nodes) == step).all()
    assert nodes[0] <= start and nodes[-1] >= start + size - 1


@given(st.integers(1, 300), st.sampled_from([1, 4, 32]))
def test_spread_nodes_reach_from_the_first_to_the_last_pixel(size: int, step: int):
    nodes = spread_nodes(size, step)
    assert len(nodes) >= 2 and nodes[0] == 0 and nodes[-1] == size - 1
    if step == 1 and size > 1:
        assert np.array_equal(nodes, np.arange(size))


@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from([1, 8, 32]))
def test_all_meshes_reproduce_bilinear_functions(height: int, width: int, step: int):
    rows, columns = np.arange(height), np.arange(width)
    exact = plane(rows, columns)
    for y, x in (
        (spread_nodes(height, step), spread_nodes(width, step)),
        (aligned_nodes(0, height, step), aligned_nodes(0, width, step)),
    ):
        found = interpolated(plane(y, x), node_positions(rows, y), node_positions(columns, x))
        assert np.allclose(found, exact, atol=1e-8)
    y, x = nodes_beyond(0, height, step), nodes_beyond(0, width, step)
    assert np.allclose(node_weights(height, step) @ plane(y, x) @ node_weights(width, step).T, exact, atol=1e-8)


def test_a_cells_mean_is_its_interpolated_midpoint():
    y, x = np.array([0.0, 4, 8]), np.array([0.0, 4])
    values = plane(y, x)
    assert np.allclose(cell_means(values), plane(midpoints(y), midpoints(x)))


def test_coordinates_differ_if_one_of_them_does():
    zero = np.zeros(3)
    off = np.array([0.0, 0.02, 0.005])
    assert differ((off, zero), (zero, zero)).tolist() == [False, True, False]
    assert differ((zero, -off), (zero, zero)).tolist() == [False, True, False]
