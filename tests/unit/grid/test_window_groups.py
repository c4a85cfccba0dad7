import numpy as np

from clairemap.grid.window import Window
from clairemap.grid.window_groups import far_apart, filled_share, group_windows


def windows_of(windows: list[Window]) -> list[Window]:
    return [group.window for group in group_windows(windows)]


def test_neighbours_are_one_group():
    assert windows_of([Window(0, 0, 10, 10), Window(0, 10, 10, 10), Window(10, 0, 10, 10)]) == [Window(0, 0, 20, 20)]


def test_distant_windows_are_separate_groups():
    near, far = Window(0, 0, 10, 10), Window(5, 500, 10, 10)
    groups = group_windows([near, far, Window(0, 12, 10, 10)])
    assert [group.members for group in groups] == [(0, 2), (1,)]
    assert [group.window for group in groups] == [Window(0, 0, 10, 22), far]
    assert far_apart(groups, (15, 510)) is True
    assert filled_share(groups, (15, 510)) == 300 / (15 * 510)


def test_windows_with_few_gaps_are_not_far_apart():
    assert not far_apart(group_windows([Window(0, 0, 10, 10)]), (1000, 1000))
    assert not far_apart(group_windows([Window(0, 0, 10, 10), Window(0, 90, 10, 10)]), (10, 100))


def test_weights_are_the_filled_pixels_of_a_window():
    windows = [Window(0, 0, 10, 10), Window(0, 20, 10, 10)]
    assert len(group_windows(windows)) == 1
    assert len(group_windows(windows, [30, 30])) == 2


def test_each_of_many_windows_is_in_one_group():
    rng = np.random.default_rng(0)
    windows = [Window(int(y), int(x), 50, 50) for y, x in rng.integers(0, 1000, (500, 2))]
    members = sorted(index for group in group_windows(windows) for index in group.members)
    assert members == list(range(500))
