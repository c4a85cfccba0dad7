import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from clairemap.registration.windows import spread_windows

SIZES = st.integers(1, 9000)


@examples(max_examples=60, deadline=None)
@given(st.tuples(SIZES, SIZES), st.integers(20, 300), st.floats(0.1, 300), st.integers(4, 400))
def test_windows_are_inside_apart_and_limited_in_number(
    shape: tuple[int, int], side: int, step: float, most: int
) -> None:
    layout = spread_windows(shape, side, step, most)
    assert 1 <= len(layout.windows) <= most
    assert all(window.clipped(shape) == window and not window.is_empty for window in layout.windows)
    assert all(window.shape == (min(side, shape[0]), min(side, shape[1])) for window in layout.windows)
    assert len(set(layout.windows)) == len(layout.windows)
    for starts in ({window.y0 for window in layout.windows}, {window.x0 for window in layout.windows}):
        assert np.diff(sorted(starts)).min(initial=10_000) > max(step, 1) - 1  # whole pixels


@pytest.mark.parametrize("most", [30, 400])
def test_windows_reach_all_sides(most: int) -> None:
    windows = spread_windows((1000, 700), 128, 32, most).windows
    assert min(w.y0 for w in windows) == 0 and max(w.y1 for w in windows) == 1000
    assert min(w.x0 for w in windows) == 0 and max(w.x1 for w in windows) == 700


def test_a_scene_smaller_than_a_window_is_one() -> None:
    layout = spread_windows((20, 30), 128, 32, 400)
    assert [window.shape for window in layout.windows] == [(20, 30)] and layout.overlap == 1


@pytest.mark.parametrize(("side", "step"), [(64, 64), (64, 32), (64, 16), (80, 20)])
def test_overlap_is_the_mean_number_of_windows_over_a_pixel(side: int, step: int) -> None:
    layout = spread_windows((320, 320), side, step, 10_000)
    count = np.zeros((320, 320), int)
    for window in layout.windows:
        count[window.slices] += 1
    assert layout.overlap == pytest.approx(count[count > 0].mean())


def test_windows_with_gaps_between_them_do_not_overlap() -> None:
    assert spread_windows((9000, 9000), 64, 32, 100).overlap == 1
