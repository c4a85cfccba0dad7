"""The stated memory against measurements by PyTorch's profiler."""

import pytest
import torch

from clairemap.grid.window import Window
from clairemap.nets.claire import Claire
from clairemap.nets.image import Image
from clairemap.nets.memory import WorkingMemory, working_memory
from clairemap.settings import NetworkSettings

PROBE_PX = 768
"""Large enough that memory grows with the area: strips of rows (`nets.strips`) need a few megabytes on a CPU."""


def network(bands: int = 4, classes: int = 8, **settings: str) -> Claire:
    return Claire(bands, 2, classes, NetworkSettings.model_validate(settings)).eval()


def image(bands: int, side: int) -> Image:
    return Image(torch.zeros(1, bands, side, side), torch.ones(1, 1, side, side, dtype=torch.bool))


def peak_bytes(claire: Claire, side: int, core: Window) -> int:
    images = [image(bands, side) for bands in claire.bands]
    with torch.inference_mode(), torch.profiler.profile(profile_memory=True) as profile:
        claire.cells(*images, core)
    live = peak = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            live += event.nbytes()
            peak = max(peak, live)
    return peak


def measured(claire: Claire) -> WorkingMemory:
    whole, one_px = Window.whole((PROBE_PX, PROBE_PX)), Window(PROBE_PX // 2, PROBE_PX // 2, 1, 1)
    return WorkingMemory(*(peak_bytes(claire, PROBE_PX, core) / PROBE_PX**2 for core in (whole, one_px)))


@pytest.mark.parametrize(
    ("size", "fusion"), [("tiny", "window"), ("tiny", "conv"), ("small", "conv"), ("base", "conv")]
)
def test_the_memory_of_each_size_is_what_the_network_takes(size: str, fusion: str):
    found, stated = measured(network(size=size, fusion=fusion)), working_memory(size, 8)  # type: ignore[arg-type]
    assert 0.92 * stated.core < found.core <= stated.core
    assert 0.98 * stated.halo < found.halo <= stated.halo


@pytest.mark.parametrize("fusion", ["gate", "sum", "early"])
def test_other_fusions_need_at_most_as_much(fusion: str):
    found, stated = measured(network(fusion=fusion)), working_memory("tiny", 8)
    assert found.core <= stated.core and found.halo <= stated.halo


@pytest.mark.parametrize(("size", "classes"), [("tiny", 37), ("tiny", 80), ("tiny", 254), ("small", 254)])
def test_many_classes_need_more(size: str, classes: int):
    found, stated = measured(network(size=size, classes=classes)), working_memory(size, classes)  # type: ignore[arg-type]
    assert 0.7 * stated.core < found.core <= stated.core


def test_bands_are_processed_in_strips():
    fewer, more = (measured(network(bands)) for bands in (2, 12))
    assert more.core - fewer.core < 10 and more.halo - fewer.halo < 10  # all bands at once would be 40 bytes more


def test_attention_and_decoder_work_in_strips():
    memory = measured(network())
    assert memory.core < 1.6 * memory.halo  # all rows at once: 1.7


@pytest.mark.parametrize("core_px", [128, 512, 896, 1024])
def test_core_and_halo_estimate_the_memory_of_any_window(core_px: int):
    side, edge = 1024, (1024 - core_px) // 2
    memory = working_memory("tiny", 8)
    peak = peak_bytes(network(), side, Window(edge, edge, core_px, core_px))
    stated = memory.core * core_px**2 + memory.halo * (side**2 - core_px**2)
    assert 0.75 * stated < peak < 1.15 * stated
