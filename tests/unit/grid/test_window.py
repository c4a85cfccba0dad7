from hypothesis import given, settings
from hypothesis import strategies as st

from clairemap.grid.window import Window

SMALL = st.integers(-20, 20)
SIZE = st.integers(0, 20)
WINDOWS = st.builds(Window, SMALL, SMALL, SIZE, SIZE)


def pixels(window: Window) -> set[tuple[int, int]]:
    return {(y, x) for y in range(window.y0, window.y1) for x in range(window.x0, window.x1)}


@settings(max_examples=60, deadline=None)
@given(WINDOWS, WINDOWS)
def test_intersection_contains_the_common_pixels(first: Window, second: Window) -> None:
    both = first.intersection(second)
    assert pixels(both) == pixels(first) & pixels(second)
    assert both.is_empty == (not pixels(both))
    assert both.height >= 0 and both.width >= 0


@settings(max_examples=30, deadline=None)
@given(WINDOWS, st.integers(0, 5))
def test_growing_and_shrinking_are_inverse(window: Window, margin: int) -> None:
    assert window.grown(margin).grown(-margin) == window
    assert pixels(window) <= pixels(window.grown(margin))


def test_slices_cut_an_array_of_the_grid() -> None:
    import numpy as np

    grid = np.arange(30).reshape(5, 6)
    assert grid[Window(1, 2, 2, 3).slices].tolist() == [[8, 9, 10], [14, 15, 16]]


def test_relative_windows_start_at_the_other_origin() -> None:
    assert Window(10, 20, 3, 4).relative_to(Window(8, 15, 9, 9)) == Window(2, 5, 3, 4)


def test_a_moved_window_keeps_its_size() -> None:
    assert Window(2, 3, 4, 5).moved(-3, 1) == Window(-1, 4, 4, 5)


def test_clipped_to_a_grid() -> None:
    assert Window(-2, 3, 5, 9).clipped((10, 8)) == Window(0, 3, 3, 5)
    assert Window(12, 0, 5, 5).clipped((10, 8)).is_empty
    assert Window.whole((4, 7)).shape == (4, 7)


@settings(max_examples=60, deadline=None)
@given(st.builds(Window, SMALL, SMALL, st.integers(1, 20), st.integers(1, 20)), st.integers(1, 5))
def test_coarse_cells_are_those_that_contain_a_pixel(window: Window, factor: int) -> None:
    assert pixels(window.coarsened(factor)) == {(y // factor, x // factor) for y, x in pixels(window)}


@settings(max_examples=30, deadline=None)
@given(WINDOWS, st.integers(1, 5))
def test_refining_is_undone_by_coarsening(window: Window, factor: int) -> None:
    fine = window.refined(factor)
    assert len(pixels(fine)) == factor**2 * len(pixels(window))
    assert fine.coarsened(factor) == window
