from collections.abc import Callable

import pytest
import torch

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
    assert 1e6 * 3000 > side**2 * bundle.card.working_bytes_per_px > 1e6 * 800


def test_too_little_memory_is_told(make_pair: Make, bundle: Bundle, caplog: pytest.LogCaptureFixture):
    assert fitting_window_px(bundle, make_pair((40, 40)), 300) == SMALLEST_PX
    assert "300 MB are little" in caplog.text


def test_a_gpu_has_to_hold_the_network_and_the_host_what_comes_and_goes(
    make_pair: Make, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
):
    class OnAGpu:
        device = torch.device("cuda", 0)
        nbytes = 4_000_000

    monkeypatch.setattr(bundle.network, "parameters", lambda: iter([OnAGpu()]))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    pair = make_pair((40, 40))
    sides = []
    for free, memory_mb in ((2e9, 8000), (8e9, 8000), (80e9, 2000), (80e9, 8000)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _, free=free: (free, 80e9))
        sides.append(fitting_window_px(bundle, pair, memory_mb))
    small_gpu, gpu, small_host, large = sides
    assert small_gpu < gpu < large and small_host < large
