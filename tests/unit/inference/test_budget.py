from collections.abc import Callable

import pytest
import torch

from clairemap.inference.budget import GPU_WINDOW_PX, Budget
from clairemap.inference.window_memory import LARGEST_PX, SMALLEST_PX
from clairemap.nets.bundle import Bundle
from clairemap.raster.store import GridStore

Make = Callable[..., GridStore]


def side_of(memory_mb: int, bundle: Bundle, pair: GridStore, halo_px: int = 256) -> int:
    return Budget(memory_mb).fitting_window_px(bundle, pair, halo_px)


def test_more_memory_makes_larger_windows(make_pair: Make, bundle: Bundle):
    pair = make_pair((1, 20_000))
    sides = [side_of(memory_mb, bundle, pair) for memory_mb in (600, 800, 3000, 10_000, 1_000_000)]
    assert sides == sorted(sides) and len(set(sides)) == len(sides)
    assert sides[-2] < sides[-1] == LARGEST_PX
    assert all(side % 128 == 0 for side in sides)


def test_windows_take_what_the_card_says(make_pair: Make, bundle: Bundle):
    pair = make_pair((1, 20_000))
    side = side_of(3000, bundle, pair)
    heavy = {"core_bytes_per_px": 4 * bundle.card.core_bytes_per_px, "halo_bytes_per_px": 4 * 36}
    heavier = side_of(3000, Bundle(bundle.network, bundle.card.model_copy(update=heavy)), pair)
    assert heavier == pytest.approx(side / 1.8, rel=0.15)
    kept = side - 512
    assert 1e6 * 3000 > kept**2 * bundle.card.core_bytes_per_px + (side**2 - kept**2) * 36 > 1e6 * 800


def test_the_weights_take_room_too(make_pair: Make, bundle: Bundle):
    pair = make_pair((1, 20_000))
    heavy = Bundle(torch.nn.Linear(10_000, 10_000, bias=False, device="meta"), bundle.card)  # type: ignore[arg-type]
    own_mb = 1.2 * sum(weight.nbytes for weight in bundle.network.parameters()) / 1e6
    assert side_of(1500, heavy, pair) == side_of(round(1500 - 480 + own_mb), bundle, pair) < side_of(1500, bundle, pair)


def test_what_is_thrown_away_takes_less(make_pair: Make, bundle: Bundle):
    pair = make_pair((1, 20_000))
    none, some, more = (side_of(1500, bundle, pair, halo_px) for halo_px in (0, 256, 512))
    assert none < some < more
    assert more - 2 * 512 < some - 2 * 256 < none


def test_a_scene_is_one_window_only_if_all_of_it_fits(make_pair: Make, bundle: Bundle):
    pair = make_pair((1500, 900))
    sides = [side_of(memory_mb, bundle, pair) for memory_mb in (550, 650, 750, 850, 950, 3000)]
    assert sides == sorted(sides)
    assert sides[-1] == 1536 and sides[0] < 1280
    assert 1536 not in sides[:2]


def test_too_little_memory_is_a_warning(make_pair: Make, bundle: Bundle, caplog: pytest.LogCaptureFixture):
    assert side_of(300, bundle, make_pair((40, 40))) == SMALLEST_PX
    assert "300 MB may be too little" in caplog.text


def test_a_gpu_has_to_hold_the_network_and_the_host_what_comes_and_goes(
    make_pair: Make, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
):
    pair, sides = make_pair((1, 40_000)), []
    for free, memory_mb, gpus in ((2e9, 8000, 1), (8e9, 8000, 1), (80e9, 1000, 1), (80e9, 8000, 1), (80e9, 1000, 4)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _, free=free: (free, 80e9))
        budget = Budget(memory_mb, [torch.device("cuda", index) for index in range(gpus)])
        sides.append(budget.fitting_window_px(bundle, pair, 512))
    small_gpu, gpu, small_host, large, several = sides
    assert small_gpu < gpu < large and several < small_host < large


@pytest.mark.parametrize(
    ("width", "halo_px", "expected"),
    [
        (4000, 256, 4096),  # one window
        (8000, 256, GPU_WINDOW_PX),
        (8000, 0, GPU_WINDOW_PX),
        (6144, 384, 6144),  # a larger halo needs larger windows
        (6144, 350, 5632),
        (20_000, 600, LARGEST_PX),
    ],
)
def test_a_large_scene_has_several_windows_on_a_gpu(
    width: int,
    halo_px: int,
    expected: int,
    make_pair: Make,
    bundle: Bundle,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (1e15, 1e15))
    budget = Budget(10**9, [torch.device("cuda", 0)])
    assert budget.fitting_window_px(bundle, make_pair((1, width)), halo_px) == expected
