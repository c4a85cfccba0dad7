from collections.abc import Callable

import pytest

from clairemap.inference.budget import LARGEST_PX, SMALLEST_PX, fitting_window_px
from clairemap.nets.bundle import Bundle
from clairemap.raster.store import GridStore

Make = Callable[..., GridStore]


def test_more_memory_makes_larger_windows(make_pair: Make, bundle: Bundle):
    pair = make_pair((40, 40))
    sides = [fitting_window_px(bundle, pair, memory_mb) for memory_mb in (500, 800, 3000, 10_000, 1_000_000)]
    assert sides == sorted(sides) and len(set(sides)) == len(sides)
    assert sides[-1] == LARGEST_PX
    assert all(side % 128 == 0 for side in sides)


def test_windows_take_what_the_card_says(make_pair: Make, bundle: Bundle):
    pair = make_pair((40, 40))
    side = fitting_window_px(bundle, pair, 3000)
    of_heavier = bundle.card.model_copy(update={"working_bytes_per_px": 4 * bundle.card.working_bytes_per_px})
    heavier = fitting_window_px(Bundle(bundle.network, of_heavier), pair, 3000)
    assert heavier == pytest.approx(side / 2, rel=0.15)
    assert 1e6 * 3000 > side**2 * bundle.card.working_bytes_per_px > 1e6 * 1500


def test_too_little_memory_is_told(make_pair: Make, bundle: Bundle, caplog: pytest.LogCaptureFixture):
    assert fitting_window_px(bundle, make_pair((40, 40)), 300) == SMALLEST_PX
    assert "300 MB are little" in caplog.text
