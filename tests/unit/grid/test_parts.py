import numpy as np

from clairemap.grid.parts import far_apart, filled_share, parts_of
from clairemap.grid.window import Window


def windows_of(windows: list[Window]) -> list[Window]:
    return [part.window for part in parts_of(windows)]


def test_neighbours_are_one_part():
    assert windows_of([Window(0, 0, 10, 10), Window(0, 10, 10, 10), Window(10, 0, 10, 10)]) == [Window(0, 0, 20, 20)]


def test_what_lies_far_apart_is_not_put_together():
    near, far = Window(0, 0, 10, 10), Window(5, 500, 10, 10)
    parts = parts_of([near, far, Window(0, 12, 10, 10)])
    assert [part.members for part in parts] == [(0, 2), (1,)]
    assert [part.window for part in parts] == [Window(0, 0, 10, 22), far]
    assert far_apart(parts, (15, 510)) is True
    assert filled_share(parts, (15, 510)) == 300 / (15 * 510)


def test_few_gaps_do_not_make_a_map_far_apart():
    assert not far_apart(parts_of([Window(0, 0, 10, 10)]), (1000, 1000))
    assert not far_apart(parts_of([Window(0, 0, 10, 10), Window(0, 90, 10, 10)]), (10, 100))


def test_weights_say_how_much_of_a_window_is_filled():
    windows = [Window(0, 0, 10, 10), Window(0, 20, 10, 10)]
    assert len(parts_of(windows)) == 1
    assert len(parts_of(windows, [30, 30])) == 2


def test_each_window_is_in_one_part_however_many_there_are():
    rng = np.random.default_rng(0)
    windows = [Window(int(y), int(x), 50, 50) for y, x in rng.integers(0, 1000, (500, 2))]
    members = sorted(index for part in parts_of(windows) for index in part.members)
    assert members == list(range(500))
