from collections.abc import Callable

import pytest
import torch

from clairemap.inference.budget import LARGEST_PX, SMALLEST_PX, Budget
from clairemap.nets.bundle import Bundle
from clairemap.raster.store import GridStore

Make = Callable[..., GridStore]


def test_more_memory_makes_larger_windows(make_pair: Make, bundle: Bundle):
    pair = make_pair((40, 40))
    sides = [Budget(memory_mb).fitting_window_px(bundle, pair) for memory_mb in (500, 800, 3000, 10_000, 1_000_000)]
    assert sides == sorted(sides) and len(set(sides)) == len(sides)
    assert sides[-1] == LARGEST_PX
    assert all(side % 128 == 0 for side in sides)


def test_windows_take_what_the_card_says(make_pair: Make, bundle: Bundle):
    pair = make_pair((40, 40))
    side = Budget(3000).fitting_window_px(bundle, pair)
    of_heavier = bundle.card.model_copy(update={"working_bytes_per_px": 4 * bundle.card.working_bytes_per_px})
    heavier = Budget(3000).fitting_window_px(Bundle(bundle.network, of_heavier), pair)
    assert heavier == pytest.approx(side / 2, rel=0.15)
    assert 1e6 * 3000 > side**2 * bundle.card.working_bytes_per_px > 1e6 * 800


def test_too_little_memory_is_told(make_pair: Make, bundle: Bundle, caplog: pytest.LogCaptureFixture):
    assert Budget(300).fitting_window_px(bundle, make_pair((40, 40))) == SMALLEST_PX
    assert "300 MB are little" in caplog.text


def test_blending_needs_room_for_a_row_of_windows(make_pair: Make, bundle: Bundle):
    pair = make_pair((10, 9000))
    assert Budget(1000).fitting_window_px(bundle, pair, blend_px=8) < Budget(1000).fitting_window_px(bundle, pair)


def test_a_gpu_has_to_hold_the_network_and_the_host_what_comes_and_goes(
    make_pair: Make, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
):
    pair, sides = make_pair((40, 40)), []
    for free, memory_mb, gpus in ((2e9, 8000, 1), (8e9, 8000, 1), (80e9, 1000, 1), (80e9, 8000, 1), (80e9, 1000, 4)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _, free=free: (free, 80e9))
        budget = Budget(memory_mb, [torch.device("cuda", index) for index in range(gpus)])
        sides.append(budget.fitting_window_px(bundle, pair))
    small_gpu, gpu, small_host, large, several = sides
    assert small_gpu < gpu < large and several < small_host < large
