import pytest
import torch

from clairemap.nets.claire import Claire
from clairemap.nets.memory import working_bytes_per_px
from clairemap.settings import NetworkSettings


def network(bands: int = 4, classes: int = 8, **settings: str):
    return Claire(bands, 2, classes, NetworkSettings(**settings)).eval()


def test_inputs_count():
    fewer, more = (working_bytes_per_px(network(bands)) for bands in (2, 10))
    assert 4 * 8 <= more - fewer < 3 * 4 * 8  # the bands once, and once or twice more within the network


def test_larger_networks_take_more():
    sizes = [working_bytes_per_px(network(size=size)) for size in ("tiny", "small", "base")]
    assert 60 < sizes[0] < sizes[1] < sizes[2] < 1000


def test_it_is_the_memory_of_any_window():
    small = network()
    found = working_bytes_per_px(small)
    with torch.inference_mode(), torch.profiler.profile(profile_memory=True) as profile:
        small.cells(*(torch.zeros(1, bands, 512, 512) for bands in (4, 2, 1, 1)))
    live = peak = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            live += event.nbytes()
            peak = max(peak, live)
    assert peak / 512**2 == pytest.approx(found, rel=0.25)
