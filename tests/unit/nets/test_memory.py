import pytest
import torch

from clairemap.grid.window import Window
from clairemap.nets.claire import Claire
from clairemap.nets.image import Image
from clairemap.nets.memory import working_memory
from clairemap.settings import NetworkSettings


def network(bands: int = 4, **settings: str):
    return Claire(bands, 2, 8, NetworkSettings(**settings)).eval()


def image(bands: int, side: int):
    return Image(torch.zeros(1, bands, side, side), torch.ones(1, 1, side, side, dtype=torch.bool))


def test_bands_are_worked_on_in_strips():
    fewer, more = (working_memory(network(bands)) for bands in (2, 12))
    assert more.core - fewer.core < 10 and more.halo - fewer.halo < 10  # all bands at once would be 40 bytes more


def test_larger_networks_take_more():
    cores, halos = zip(*(working_memory(network(size=size)) for size in ("tiny", "small", "base")), strict=True)
    assert 30 < halos[0] < halos[1] < halos[2] < 200
    assert all(1.3 * halo < core < 2.5 * halo for core, halo in zip(cores, halos, strict=True))


def test_attention_and_decoder_work_in_strips():
    memory = working_memory(network())
    assert memory.core < 1.6 * memory.halo  # all rows at once: 1.7


@pytest.mark.parametrize("wanted_px", [128, 512, 896, 1024])
def test_it_is_about_the_memory_of_any_window(wanted_px: int):
    small, side = network(), 1024
    memory, edge = working_memory(small), (1024 - wanted_px) // 2
    images = image(4, side), image(2, side)
    with torch.inference_mode(), torch.profiler.profile(profile_memory=True) as profile:
        small.cells(*images, Window(edge, edge, wanted_px, wanted_px))
    live = peak = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            live += event.nbytes()
            peak = max(peak, live)
    stated = memory.core * wanted_px**2 + memory.halo * (side**2 - wanted_px**2)
    assert 0.75 * stated < peak < 1.15 * stated
